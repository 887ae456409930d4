package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// text writes the report on one page.
func (r *result) text(w io.Writer, title string, c *config) error {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	row := func(name, format string, args ...any) {
		p("  %s%s%s", name, strings.Repeat(" ", max(1, 18-utf8.RuneCountInString(name))), fmt.Sprintf(format, args...))
	}
	p("Coverage of %s", title)
	p("%s of the policy, %s of the reference%s, %s; %s skipped",
		plural(r.N.Policy, "sample"), plural(r.N.Ref, "sample"), r.ofPairs(), plural(r.N.Prompts, "prompt"), plural(r.N.Skipped, "bad line"))
	p("\nVerdict: %s (%s)", words[r.Verdict], r.Verdict)
	for _, reason := range r.Reasons {
		p("%s", wrap(reason, 96))
	}
	f := &r.facts
	p("\nHow far the policy is from the reference, with 95%% intervals (from samples of the %s)", origin[f.source])
	switch {
	case r.KL != nil:
		row("KL(π‖π_ref)", "%s %s nats by k1, %s %s by k3", num(r.KL.K1.Value), interval(r.KL.K1), num(r.KL.K3.Value), interval(r.KL.K3))
	default:
		row("KL(π‖π_ref)", "%s %s nats, by importance weights", num(f.kl.Value), interval(f.kl))
	}
	if !math.IsNaN(f.length) {
		row("per token", "%s nats, %.1f tokens on average", num(f.kl.Value/number(f.length)), f.length)
	}
	row("Rényi", "D_½ %s %s, D_2 %s %s", num(r.Renyi.Half.Value), interval(r.Renyi.Half), num(r.Renyi.Two.Value), interval(r.Renyi.Two))
	row("χ²", "%s %s", num(r.Chi2.Value), interval(r.Chi2.estimate))
	row("max π/π_ref seen", "%s, which bounds the largest from below and does not estimate it", num(number(math.Exp(float64(r.Renyi.InfSeen)))))
	if r.Khat != nil {
		p("\nWhat samples of the reference are worth as samples of the policy")
		row("k̂", "%s, %s", num(r.Khat.Value), r.khatWords())
		row("ESS", "%s of %d samples, %s", num(r.ESS.Value), r.N.Ref, percent(r.ESS.Fraction))
		row("mean weight", "%s %s, should be 1", num(f.meanWeight.Value), interval(*f.meanWeight))
	}
	if r.Features != nil {
		p("\nFeatures: the policy's replies against %s of the data, which span %d of %d dimensions", plural(r.Features.pairs, "pair"), r.Features.rank, r.Features.dim)
		row("κ", "%s", num(r.Features.Kappa))
		row("outside", "%s", percent(r.Features.Outside))
	}
	p("\nProfile: how much of the policy is on replies that it gives at least N times as often as the reference")
	r.bars(&b)
	p("\nWorst covered prompts, of %d", f.prompts)
	p("  %10s  %12s  prompt", "KL, nats", "largest seen")
	for _, v := range r.Worst {
		p("  %10s  %12s  %s", num(v.KL), num(number(math.Exp(float64(v.MaxLogRatio)))), shorten(v.Prompt))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *result) ofPairs() string {
	if r.facts.pairs == 0 {
		return ""
	}
	return fmt.Sprintf(" (with the replies of %s)", plural(r.facts.pairs, "pair"))
}

func (r *result) khatWords() string {
	k, limit := float64(r.Khat.Value), float64(r.Khat.Threshold)
	switch {
	case r.facts.tied:
		return "the largest weight is a common one, there is no tail to fit"
	case math.IsInf(k, 1):
		return "too few weights stand out to be fitted"
	case k >= limit:
		return fmt.Sprintf("not below %s: means by importance weights cannot be trusted", num(r.Khat.Threshold))
	case 2*k >= limit:
		return fmt.Sprintf("below %s: means by weights can be trusted, ESS cannot: that needs half of it", num(r.Khat.Threshold))
	}
	return fmt.Sprintf("below half of %s: means by importance weights and ESS can be trusted", num(r.Khat.Threshold))
}

const (
	barRows  = 16
	barWidth = 40
)

// bars draws the profile, a row for each of some points.
func (r *result) bars(w io.Writer) {
	points := r.Profile
	for len(points) > 2 && points[1].P > 0.995 && points[1].N <= 1 { // all of the policy is there
		points = points[1:]
	}
	for n := len(points); n > 2 && points[n-2].P == points[n-1].P && points[n-2].N >= 1; n = len(points) { // nothing changes any more
		points = points[:n-1]
	}
	step := (len(points) + barRows - 1) / barRows
	one := slices.IndexFunc(points, func(p profilePoint) bool { return p.N == 1 }) // always shown
	for i := one % step; i < len(points); i += step {
		p := points[i]
		full := min(barWidth, int(math.Round(float64(p.P)*barWidth)))
		fmt.Fprintf(w, "  N = %8s  %6s %s%s\n", num(p.N), percent(p.P), strings.Repeat("█", full), strings.Repeat("·", barWidth-full))
	}
}

// num prints three digits.
func num(x number) string {
	switch a := math.Abs(float64(x)); {
	case math.IsInf(float64(x), 1):
		return "∞"
	case math.IsInf(float64(x), -1):
		return "−∞"
	case math.IsNaN(float64(x)):
		return "?"
	case a < 5e-5:
		return "0"
	case a >= 1e7:
		return fmt.Sprintf("%.1e", x)
	case a >= 99.95:
		return minus(fmt.Sprintf("%.0f", x))
	case a >= 9.995:
		return minus(fmt.Sprintf("%.1f", x))
	case a >= 0.0995:
		return minus(fmt.Sprintf("%.2f", x))
	default:
		return minus(fmt.Sprintf("%.2g", x))
	}
}

func minus(s string) string { return strings.Replace(s, "-", "−", 1) }

func interval(e estimate) string {
	if math.IsNaN(float64(e.Lo)) {
		return "[no interval]"
	}
	return "[" + num(e.Lo) + ", " + num(e.Hi) + "]"
}

func percent(x number) string {
	if math.IsNaN(float64(x)) {
		return "?%"
	}
	if p := 100 * float64(x); p != 0 && p < 9.95 {
		return fmt.Sprintf("%.2g%%", p)
	}
	return fmt.Sprintf("%.0f%%", 100*float64(x))
}

func percentInterval(p profilePoint) string {
	if math.IsNaN(float64(p.Lo)) {
		return "[no interval]"
	}
	return "[" + percent(p.Lo) + ", " + percent(p.Hi) + "]"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// wrap breaks a reason into lines.
func wrap(text string, width int) string {
	var b strings.Builder
	b.WriteString("  -")
	column := 3
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if column+1+n > width {
			b.WriteString("\n   ")
			column = 3
		}
		b.WriteString(" " + word)
		column += 1 + n
	}
	return b.String()
}

// shorten makes a prompt's id fit a line.
func shorten(id json.RawMessage) string {
	const most = 60
	if r := []rune(string(id)); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return string(id)
}
