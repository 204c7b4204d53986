package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// decide acts as the user at another device, who opens the address and enters the code.
// The driver shows a code until the login has ended; the user enters it once.
func (o *ours) decide(_ httpdriver.Account, s states.Show) {
	code := s.UserCode.Reveal()
	if _, again := o.entered.LoadOrStore(code, nil); again {
		return
	}
	b := browser{denies: o.denies, code: code}
	o.users.Go(func() {
		if _, err := b.visit(context.Background(), s.URL); err != nil {
			o.entered.Store(code, err)
		}
	})
}

// atDevice adds to err what went wrong for the users at another device.
func (o *ours) atDevice(err error) error {
	o.users.Wait()
	o.entered.Range(func(_, failed any) bool {
		if failed != nil {
			err = errors.Join(err, failed.(error))
		}
		return true
	})
	return err
}

// decided runs something for which the user decides at another device, and counts the
// tokens that were issued for it.
func (o *ours) decided(ctx context.Context, do func() error, tokens int) error {
	before := len(o.f.tap.since(0))
	if err := o.atDevice(do()); err != nil {
		return err
	}
	if n := (outcome{Requests: o.f.tap.since(before)}).grants(wire.DeviceGrant); n != tokens {
		return fmt.Errorf("%d tokens for a device code, not %d", n, tokens)
	}
	return ctx.Err()
}

var (
	logsInAtDevice = stage{name: "logs in at another device and calls get_time", registers: true, do: func(ctx context.Context, o *ours) error {
		return o.decided(ctx, func() error { return o.call(ctx, "get_time") }, 1)
	}}
	learnsOfDenialAtDevice = stage{name: "learns that the user denied at another device, and may ask again", do: func(ctx context.Context, o *ours) error {
		if err := o.driver.Logout(ctx, o.account); err != nil {
			return err
		}
		o.denies = true
		err := o.decided(ctx, func() error {
			if err := o.driver.Login(ctx, o.account); err == nil || !strings.Contains(err.Error(), "access_denied") {
				return fmt.Errorf("the login that the user denied ended with: %w", err)
			}
			return nil
		}, 0)
		o.denies = false
		if err != nil {
			return err
		}
		return o.decided(ctx, func() error { return o.driver.Login(ctx, o.account) }, 1)
	}}
)
