package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// scripted is a client that is a script in the directory lock: client.mjs with the
// TypeScript SDK, or oauth4webapi.mjs.
func scripted(k *kit.Kit, o options, name, file string) (client, error) {
	script, err := o.script(file)
	if err != nil {
		return client{}, err
	}
	return client{name: name, do: func(ctx context.Context, j job) outcome {
		arg, err := json.Marshal(j)
		if err != nil {
			return outcome{Err: err.Error()}
		}
		cmd := exec.CommandContext(ctx, k.Node, script, string(arg))
		cmd.Env = bare()
		return spoken(ctx, cmd, j.browser)
	}}, nil
}

// script puts a script from the directory lock where Node finds the packages that it
// imports, and returns its path.
func (o options) script(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(o.lock, name))
	if err != nil {
		return "", err
	}
	path := filepath.Join(o.cache, name)
	return path, os.WriteFile(path, text, 0o644)
}

// spoken runs a client that communicates in lines, and opens the browser when it asks.
func spoken(ctx context.Context, cmd *exec.Cmd, b browser) (o outcome) {
	noise := &said{}
	cmd.Stderr = noise
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		o.Err = err.Error()
		return o
	}
	err = o.listen(ctx, out, b)
	if err != nil {
		_ = cmd.Process.Kill()
	}
	ended := cmd.Wait()
	if lines := noise.lines(); lines[0] != "" {
		o.Noise = lines
	}
	switch {
	case err != nil:
		o.Err = err.Error()
	case ended != nil && o.Err == "":
		o.Err = "ended with " + ended.Error() + " and no word"
	case ended == nil && o.Err != "":
		o.Err = "ended well after " + o.Err
	}
	return o
}

// listen records what the client says until it stops.
func (o *outcome) listen(ctx context.Context, out io.Reader, b browser) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var l struct {
			Visit, Request, Step, Error string
			Tools                       []string
			Output                      json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return errors.New("the client said something else: " + lines.Text())
		}
		switch {
		case l.Visit != "":
			if err := b.browse(ctx, l.Visit); err != nil {
				return err
			}
		case l.Request != "":
			o.Requests = append(o.Requests, l.Request)
		case l.Step != "":
			o.Steps = append(o.Steps, step{l.Step, l.Output})
		case l.Error != "":
			o.Err = l.Error
		case l.Tools != nil:
			o.Tools = l.Tools
		}
	}
	return lines.Err()
}
