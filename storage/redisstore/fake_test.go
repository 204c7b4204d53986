package redisstore_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// fake is a server that answers as the test says, in Redis's protocol; an empty answer
// is none for ever. Without an answer of the test it knows no command but PING.
func fake(t *testing.T, answer func(command string, args []string) (text string, ok bool)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					args, err := request(in)
					if err != nil {
						return
					}
					command := strings.ToUpper(args[0])
					text, ok := answer(command, args[1:])
					switch {
					case ok && text == "":
						_, _ = io.Copy(io.Discard, in)
						return
					case !ok && command == "PING":
						text = "+PONG\r\n"
					case !ok:
						text = "-ERR unknown command\r\n"
					}
					if _, err := io.WriteString(c, text); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// request reads a command: an array of texts.
func request(in *bufio.Reader) (args []string, err error) {
	number := func() (n int, err error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	for range n {
		size, err := number()
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, err
		}
		args = append(args, string(b[:size]))
	}
	return args, nil
}

// text and array write answers.
func text(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func array(items ...string) string {
	return fmt.Sprintf("*%d\r\n%s", len(items), strings.Join(items, ""))
}
