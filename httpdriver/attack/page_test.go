package attack_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestPage: the numbers in docs/security.md are those of the tables.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(b)), " ")
	asked := 0
	for _, p := range places {
		asked += len(p.meetings)
	}
	for _, says := range []string{
		fmt.Sprintf("%d hostile answers in %d situations each", len(answers()), asked),
		fmt.Sprintf("%d places and %d spellings", len(quoted), len(spellings)),
		fmt.Sprintf("%v for the part of a login that needs no user, %d requests, %d MiB", mostTime, mostRequests, mostMemory>>20),
	} {
		if !strings.Contains(page, says) {
			t.Errorf("docs/security.md does not say %q", says)
		}
	}
}
