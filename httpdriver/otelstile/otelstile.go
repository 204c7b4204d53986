// Package otelstile reports to OpenTelemetry what a driver does: a span for each run of a
// machine, a span within it for each exchange, and metrics.
//
//	o, err := otelstile.New(otelstile.Options{})
//	d, err := httpdriver.New(httpdriver.Options{Observe: o.Observe})
//
// docs/observability.md lists the names.
//
// # Guarantees
//
//   - A span or a metric holds no secret, no part of a URL except its host, and nothing about a user.
//   - Metrics have few distinct values, because the server is an attribute of spans only.
//
// # Who should not use it
//
// A program without OpenTelemetry; it can use Options.Logger, or its own Observe.
package otelstile

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

const scope = "github.com/stile-oauth/stile/httpdriver/otelstile"

// Options say where spans and metrics go; nil is the global provider.
type Options struct {
	Tracer trace.TracerProvider
	Meter  metric.MeterProvider
}

// Observer has the Observe method that a driver's Options.Observe takes. It is safe for
// concurrent use.
type Observer struct {
	tracer                      trace.Tracer
	logins, refreshes, failures metric.Int64Counter
	waited, exchanged           metric.Float64Histogram

	mu    sync.Mutex
	runs  map[httpdriver.Account]*run
	swept time.Time
}

// run is the run of an account that is under way.
type run struct {
	ctx   context.Context
	span  trace.Span
	sent  map[uint64]exchange
	visit time.Time // when the user was sent to the browser
	last  time.Time
}

type exchange struct {
	span  trace.Span
	began time.Time
	doing string
}

// abandoned is the time after which a run without a step is given up, because its user
// did not come back.
const abandoned = 15 * time.Minute

// New makes an Observer, or says why the metrics cannot be made.
func New(o Options) (*Observer, error) {
	if o.Tracer == nil {
		o.Tracer = otel.GetTracerProvider()
	}
	if o.Meter == nil {
		o.Meter = otel.GetMeterProvider()
	}
	m := o.Meter.Meter(scope)
	ob := &Observer{tracer: o.Tracer.Tracer(scope), runs: map[httpdriver.Account]*run{}}
	var errs [5]error
	ob.logins, errs[0] = m.Int64Counter("stile.logins", metric.WithUnit("{login}"), metric.WithDescription("Logins that brought a token."))
	ob.refreshes, errs[1] = m.Int64Counter("stile.refreshes", metric.WithUnit("{refresh}"), metric.WithDescription("Refreshes, by how they ended."))
	ob.failures, errs[2] = m.Int64Counter("stile.failures", metric.WithUnit("{failure}"), metric.WithDescription("Failures of authorization, by whose fault they are."))
	ob.waited, errs[3] = m.Float64Histogram("stile.user.wait", metric.WithUnit("s"), metric.WithDescription("How long users took at the authorization server."))
	ob.exchanged, errs[4] = m.Float64Histogram("http.client.request.duration", metric.WithUnit("s"), metric.WithDescription("Duration of the exchanges with authorization servers."))
	return ob, errors.Join(errs[:]...)
}

// refreshed says how a refresh ended, by its event.
var refreshed = map[transitions.Event]string{
	transitions.TokenRefreshed: "refreshed", transitions.Adopted: "adopted", transitions.RefreshUnreachable: "unreachable",
	transitions.RefreshRefused: "refused", transitions.RefreshDenied: "denied", transitions.RefreshLost: "lost",
	transitions.RefreshLostQuietly: "lost", transitions.RefreshLostWhileHolding: "lost",
}

// Observe takes one step of a driver.
func (o *Observer) Observe(s httpdriver.Step) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.run(s)
	if r == nil {
		return
	}
	r.last = s.At
	o.answered(r, s)
	r.span.AddEvent(string(s.Result.Event), trace.WithTimestamp(s.At), trace.WithAttributes(attribute.String("stile.state", string(s.Result.Machine.State))))
	o.count(r, s)
	for _, e := range s.Result.Effects {
		switch e := e.(type) {
		case states.Send:
			o.sent(r, s, e)
		case states.Visit:
			r.visit = s.At
		default: // nothing to report
		}
	}
	if states.Resting(s.Result.Machine.State) {
		o.end(s.Account, r, s.At)
	}
}

// run returns the run that a step belongs to, and begins one at the first step that
// leaves rest.
func (o *Observer) run(s httpdriver.Step) *run {
	r := o.runs[s.Account]
	if r != nil && states.Resting(s.From.State) {
		o.end(s.Account, r, r.last) // its user did not come back
		r = nil
	}
	if r != nil {
		return r
	}
	if states.Resting(s.From.State) && states.Resting(s.Result.Machine.State) {
		return nil // nothing begins: a tick, or a token that was accepted
	}
	o.sweep(s.At)
	ctx, span := o.tracer.Start(context.Background(), "stile.run", trace.WithTimestamp(s.At), trace.WithAttributes(
		attribute.String("server.address", host(s.Account.Server)), attribute.String("stile.from", string(s.From.State)),
	))
	r = &run{ctx: ctx, span: span, sent: map[uint64]exchange{}}
	o.runs[s.Account] = r
	return r
}

// sweep ends the runs whose users did not come back, once a minute.
func (o *Observer) sweep(now time.Time) {
	if now.Sub(o.swept) < time.Minute {
		return
	}
	o.swept = now
	for a, r := range o.runs {
		if now.Sub(r.last) > abandoned {
			o.end(a, r, r.last)
		}
	}
}

func (o *Observer) end(a httpdriver.Account, r *run, at time.Time) {
	for _, x := range r.sent {
		x.span.End(trace.WithTimestamp(at))
	}
	r.span.End(trace.WithTimestamp(at))
	delete(o.runs, a)
}

// sent begins the span of an exchange.
func (o *Observer) sent(r *run, s httpdriver.Step, e states.Send) {
	doing := states.Doing(s.Result.Machine.State)
	_, span := o.tracer.Start(r.ctx, e.Request.Method, trace.WithTimestamp(s.At), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", e.Request.Method), attribute.String("server.address", host(e.Request.URL)),
		attribute.String("stile.doing", doing),
	))
	r.sent[e.Serial] = exchange{span, s.At, doing}
}

// answered ends the span of the exchange that an input answers.
func (o *Observer) answered(r *run, s httpdriver.Step) {
	var serial uint64
	var status, kind string
	switch in := s.Input.(type) {
	case states.Responded:
		serial, status = in.Serial, strconv.Itoa(in.Response.Status)
		if in.Response.Status >= 400 {
			kind = status
		}
	case states.Unreachable:
		serial, kind = in.Serial, string(in.Class)
	default:
		return
	}
	x, ok := r.sent[serial]
	if !ok {
		return
	}
	delete(r.sent, serial)
	attributes := []attribute.KeyValue{attribute.String("stile.doing", x.doing)}
	if status != "" {
		n, _ := strconv.Atoi(status)
		attributes = append(attributes, attribute.Int("http.response.status_code", n))
	}
	if kind != "" {
		attributes = append(attributes, attribute.String("error.type", kind))
		x.span.SetStatus(codes.Error, kind)
	}
	x.span.SetAttributes(attributes...)
	x.span.End(trace.WithTimestamp(s.At))
	o.exchanged.Record(r.ctx, s.At.Sub(x.began).Seconds(), metric.WithAttributes(attributes...))
}

// count adds a step to the metrics.
func (o *Observer) count(r *run, s httpdriver.Step) {
	on := s.Result.Event
	if on == transitions.TokenIssued || on == transitions.TokenNarrowed {
		o.logins.Add(r.ctx, 1)
	}
	if how, ok := refreshed[on]; ok {
		o.refreshes.Add(r.ctx, 1, metric.WithAttributes(attribute.String("stile.outcome", how)))
	}
	if _, back := s.Input.(states.Redirected); back && !r.visit.IsZero() {
		o.waited.Record(r.ctx, s.At.Sub(r.visit).Seconds())
		r.visit = time.Time{}
	}
	for _, e := range s.Result.Effects {
		f, ok := e.(states.Report)
		if !ok {
			continue
		}
		party := string(f.Fault.Party)
		o.failures.Add(r.ctx, 1, metric.WithAttributes(attribute.String("stile.fault_of", party), attribute.Bool("stile.transient", f.Fault.Transient)))
		r.span.SetStatus(codes.Error, string(f.Fault.Event))
		r.span.SetAttributes(attribute.String("error.type", string(f.Fault.Event)), attribute.String("stile.fault_of", party), attribute.String("stile.rule", string(f.Fault.Problem.Rule)))
	}
}

// host is the host of a URL, which is all that may be shown of it.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
