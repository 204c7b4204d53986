package trap

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// follows notes a process group of the client until the result is called.
func (s *stage) follows(group int) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = append(s.groups, group)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.groups = slices.DeleteFunc(s.groups, func(g int) bool { return g == group })
	}
}

// readArguments looks at the arguments of the client's processes while it runs. A process
// that sends a token is seen in any case, because its request waits until record has looked.
func (s *stage) readArguments(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
		s.lookAtArguments(false)
	}
}

// lookAtArguments looks for secrets in the arguments of the client's processes (on
// systems that have /proc): everybody on the machine can read them. A process has a higher
// number than the one that leads its group, until the numbers begin again; unless all are
// to be looked at, the lower ones are left out, which are most processes of a machine.
func (s *stage) lookAtArguments(every bool) {
	s.mu.Lock()
	groups := slices.Clone(s.groups)
	s.mu.Unlock()
	if len(groups) == 0 {
		return
	}
	first := slices.Min(groups)
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err != nil || pid < first && !every {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ") // state, parent, process group
		f := strings.Fields(rest)
		if len(f) < 3 {
			continue
		}
		if group, err := strconv.Atoi(f[2]); err != nil || !slices.Contains(groups, group) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		for _, kind := range s.printed(string(args)) {
			s.mu.Lock()
			if !slices.Contains(s.arguments, kind) {
				s.arguments = append(s.arguments, kind)
			}
			s.mu.Unlock()
		}
	}
}
