// Package ui is the set of parts that the pages are made of: buttons, badges,
// cards, forms, tables. A part takes texts that are already in a language; it
// knows no page and asks nobody anything.
//
// Form is the only way to make a form that changes something, so that none goes
// without its CSRF field.
package ui

import (
	"context"
	"html"
	"maps"
	"strings"
	"time"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/assets"
)

// CSRFField is the name of the hidden field that Form writes.
const CSRFField = "csrf"

// htmxConfig keeps htmx within a strict Content-Security-Policy: no style of
// its own, no page history of its own.
const htmxConfig = `{"includeIndicatorCSS":false,"history":false}`

// Crumb is a step of the way to a page; the last one has no URL.
type Crumb struct{ Text, URL string }

// Tab is one of the pages that a row of tabs leads to.
type Tab struct {
	Text, URL string
	Current   bool
}

// Input is a field of a form.
type Input struct {
	Name         string // also its id
	ID           string // when it differs from the name
	Label        string
	Hint         string
	Error        string
	Value        string
	Type         string // "" is text
	Optional     bool
	Required     bool
	Suffix       string // fixed text after the field
	Prefix       string // fixed text before the field
	Autocomplete string
	Mono         bool
	Attrs        templ.Attributes
}

func (in Input) id() string {
	if in.ID != "" {
		return in.ID
	}
	return in.Name
}

func (in Input) inputType() string {
	if in.Type == "" {
		return "text"
	}
	return in.Type
}

func (in Input) class() string {
	if in.Mono {
		return "input mono"
	}
	return "input"
}

// described are the ids of the texts about the field; more may be added.
func (in Input) described(more ...string) templ.Attributes {
	var ids []string
	if in.Hint != "" {
		ids = append(ids, in.id()+"-h")
	}
	if in.Error != "" {
		ids = append(ids, in.id()+"-e")
	}
	ids = append(ids, more...)
	attrs := templ.Attributes{}
	if len(ids) > 0 {
		attrs["aria-describedby"] = strings.Join(ids, " ")
	}
	if in.Error != "" {
		attrs["aria-invalid"] = "true"
	}
	if in.Required {
		attrs["required"] = true
	}
	if in.Autocomplete != "" {
		attrs["autocomplete"] = in.Autocomplete
	}
	maps.Copy(attrs, in.Attrs)
	return attrs
}

// Option is one of several values.
type Option struct {
	Value, Label, Hint string
}

// Problem is a refused field: the id that it leads to (may be empty) and what
// to do.
type Problem struct{ ID, Text string }

// Col is the head of a column. URL makes it sortable.
type Col struct {
	Label  string
	URL    string
	Sorted string // "ascending", "descending" or ""
	Num    bool
	Quiet  bool // for screen readers only
}

// ConnRow is a value to be copied into another program. What names it after
// the word "Copy".
type ConnRow struct{ Label, Value, What string }

// Step is one step of a change; State is "done", "now", "failed" or "todo".
type Step struct {
	State, Title, Hint, Aside string
}

var stepIcons = map[string]string{"done": "check", "now": "run", "failed": "x", "todo": "dot"}

var alertIcons = map[string]string{"info": "info", "ok": "ok", "warn": "warn", "fail": "fail"}

// alertRole is how a screen reader is told: failures at once, successes when
// it is idle, the rest when it is read.
func alertRole(kind string) templ.Attributes {
	switch kind {
	case "fail":
		return templ.Attributes{"role": "alert"}
	case "ok":
		return templ.Attributes{"role": "status"}
	}
	return nil
}

// badgeOf is the colour and the drawing of a state. Their shapes differ, so
// that they can be told apart without colour.
func badgeOf(s hosting.State) (kind, icon string) {
	switch s {
	case hosting.Applying:
		return "run", "run"
	case hosting.Live:
		return "ok", "ok"
	case hosting.Failed:
		return "fail", "fail"
	case hosting.Suspended:
		return "warn", "pause"
	case hosting.Removing, hosting.Removed:
		return "", "trash"
	}
	return "", "clock"
}

func class(base, variant string) string {
	if variant == "" {
		return base
	}
	return base + " " + base + "--" + variant
}

// rich writes a text of the catalogue: **bold** and `code`, all else escaped.
func rich(text string) string {
	text = html.EscapeString(text)
	return pairs(pairs(text, "**", "<b>", "</b>"), "`", "<code>", "</code>")
}

func pairs(text, mark, open, closing string) string {
	parts := strings.Split(text, mark)
	if len(parts)%2 == 0 {
		return text // a mark without its pair is a character like any other
	}
	var b strings.Builder
	for i, p := range parts {
		if i > 0 && i%2 == 1 {
			b.WriteString(open)
		} else if i > 0 {
			b.WriteString(closing)
		}
		b.WriteString(p)
	}
	return b.String()
}

// Initials are the two letters that stand for a name.
func Initials(name string) string {
	var letters []rune
	for word := range strings.FieldsSeq(name) {
		first := []rune(word)[0]
		if len(letters) == 0 || len(word) > 2 || first != []rune(strings.ToLower(word))[0] {
			letters = append(letters, first)
		}
		if len(letters) == 2 {
			break
		}
	}
	return strings.ToUpper(string(letters))
}

// percent is how full something is, from 0 to 100.
func percent(used, limit int) int {
	if limit <= 0 {
		if used > 0 || limit == 0 {
			return 100
		}
		return 0
	}
	return min(100, used*100/limit)
}

// NearlyFull says how near to its limit something is, of which so many percent
// are used.
func NearlyFull(ctx context.Context, percent int) string {
	if percent >= 95 {
		return i18n.T(ctx, "usage.nearly_full")
	}
	return i18n.T(ctx, "usage.soon_full")
}

// pageNumbers are the pages to offer around page; 0 stands for a gap.
func pageNumbers(page, pages int) []int {
	var list []int
	for n := 1; n <= pages; n++ {
		switch {
		case n == 1, n == pages, n >= page-1 && n <= page+1, n == 2 && page == 4, n == pages-1 && page == pages-3:
			list = append(list, n)
		case list[len(list)-1] != 0:
			list = append(list, 0)
		}
	}
	return list
}

// isoTime is t for the datetime attribute.
func isoTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func icon(name string) string { return assets.Icon(name) }

func errorCount(ctx context.Context, n int) string { return i18n.T(ctx, "form.to_correct", n) }

// PlannedStep is a step of something that has not begun.
type PlannedStep struct{ Icon, Title string }

// PasskeyAsk is what a page asks an authenticator: the options, or the address
// that gives them when the time comes.
type PasskeyAsk struct {
	Make    bool   // a new key, not an answer of one
	Options string // as WebAuthn has them, in JSON
	Ask     string
}

// act is the function of the browser that asks.
func (a PasskeyAsk) act() string {
	if a.Make {
		return "create"
	}
	return "get"
}
