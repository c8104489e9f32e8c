package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// Exit statuses of the command line.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitNotFound   = 3
	exitRefused    = 4
	exitNotApplied = 5
)

// exitStatus ends the command with a status and without a word: the program
// that it ran has said what there was to say.
type exitStatus int //nolint:errname // it carries a status, there is nothing to say

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage is a usageError with a text of the catalogue.
func usage(key string, args ...string) error {
	return usageError{&hosting.Error{Kind: hosting.Invalid, Message: hosting.Msg(key, args...)}}
}

// notAppliedError is a wish that was accepted and that the machine does not follow.
type notAppliedError struct{ hosting.Message }

func (e notAppliedError) Error() string { return "not applied: " + e.Key }

// answered is an error of a verb whose document is on standard output already.
type answered struct{ error }

func (e answered) Unwrap() error { return e.error }

// refusal is an error as it is said to a script.
type refusal struct {
	Kind    string `json:"kind"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// report says err on standard error, in one line, with --json on standard
// output too, and gives the exit status.
func report(cmd *cobra.Command, err error) int {
	if s, ok := errors.AsType[exitStatus](err); ok {
		return int(s)
	}
	ctx := speak(context.Background())
	r := explain(ctx, err)
	line := flagged(ctx, cmd, r)
	if es, ok := errors.AsType[hosting.Errors](err); ok && len(es) > 1 {
		lines := make([]string, len(es))
		for i, e := range es {
			lines[i] = flagged(ctx, cmd, refusal{Field: e.Field, Message: explainOne(ctx, e)})
		}
		line = strings.Join(lines, " ")
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "cancale: "+oneLine(line))
	if _, done := errors.AsType[answered](err); !done && wantsJSON(cmd) {
		_ = writeJSON(cmd.OutOrStdout(), struct {
			Error refusal `json:"error"`
		}{r})
	}
	return statusOf(err)
}

// flagged is what is said, behind the flag that it is said of.
func flagged(ctx context.Context, cmd *cobra.Command, r refusal) string {
	if flag := flagOf(cmd, r.Field); flag != "" {
		return "--" + flag + i18n.T(ctx, "cli.colon") + r.Message
	}
	return r.Message
}

// statusOf is the exit status that err stands for.
func statusOf(err error) int {
	if s, ok := errors.AsType[exitStatus](err); ok {
		return int(s)
	}
	if _, ok := errors.AsType[usageError](err); ok || errors.Is(err, config.ErrNowhere) {
		return exitUsage
	}
	if _, ok := errors.AsType[notAppliedError](err); ok {
		return exitNotApplied
	}
	switch hosting.KindOf(err) {
	case hosting.NotFound:
		return exitNotFound
	case hosting.Invalid, hosting.Conflict, hosting.OverLimit, hosting.Forbidden, hosting.Unauthenticated:
		return exitRefused
	case hosting.Internal, hosting.Unavailable:
	}
	return exitFailed
}

// explain turns err into what is said of it. Whoever uses the command line is
// the machine's administrator: an internal cause is told.
func explain(ctx context.Context, err error) refusal {
	if u, ok := errors.AsType[usageError](err); ok {
		text := u.Error()
		if e, ok := errors.AsType[*hosting.Error](u); ok {
			text = say(ctx, e.Message)
		}
		return refusal{Kind: "usage", Message: i18n.T(ctx, "cli.usage", text)}
	}
	if n, ok := errors.AsType[notAppliedError](err); ok {
		return refusal{Kind: "not_applied", Message: say(ctx, n.Message)}
	}
	if errors.Is(err, config.ErrNowhere) {
		return refusal{Kind: "usage", Message: i18n.T(ctx, "cli.which_installation")}
	}
	if es, ok := errors.AsType[hosting.Errors](err); ok && len(es) > 0 {
		texts := make([]string, len(es))
		for i, e := range es {
			texts[i] = explainOne(ctx, e)
		}
		return refusal{es[0].Kind.String(), es[0].Field, strings.Join(texts, " ")}
	}
	if e, ok := errors.AsType[*hosting.Error](err); ok {
		return refusal{e.Kind.String(), e.Field, explainOne(ctx, e)}
	}
	if errors.Is(err, context.Canceled) {
		return refusal{Kind: hosting.Internal.String(), Message: i18n.T(ctx, "cli.interrupted")}
	}
	return refusal{Kind: hosting.Internal.String(), Message: err.Error()}
}

func explainOne(ctx context.Context, e *hosting.Error) string {
	text := say(ctx, e.Message)
	if e.Err != nil && (e.Kind == hosting.Internal || e.Kind == hosting.Unavailable) {
		text += " (" + e.Err.Error() + ")"
	}
	return text
}

// say is a message in the language of ctx.
func say(ctx context.Context, m hosting.Message) string {
	if m.IsZero() {
		return ""
	}
	return i18n.Message(ctx, m.Key, m.Args)
}

// speak makes ctx speak the language of the environment: French where it asks
// for French, English everywhere else.
func speak(ctx context.Context) context.Context {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := os.Getenv(name); locale != "" {
			if locale == "fr" || strings.HasPrefix(locale, "fr_") || strings.HasPrefix(locale, "fr.") {
				return i18n.WithLang(ctx, "fr")
			}
			break
		}
	}
	return i18n.WithLang(ctx, "en")
}

// fieldFlags are the flags whose name is not that of their field.
var fieldFlags = map[string]string{"aliases": "alias", "label": "label"}

// flagOf is the flag of cmd that fills a field; "" for the name that the
// command is about.
func flagOf(cmd *cobra.Command, field string) string {
	name := strings.ReplaceAll(field, "_", "-")
	if other, ok := fieldFlags[field]; ok {
		name = other
	}
	if name == "" || cmd.LocalNonPersistentFlags().Lookup(name) == nil {
		return ""
	}
	return name
}

// oneLine is s without what would end the line or speak to the terminal. The
// spaces that French keeps unbroken stay.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	}), " ")
}

// wantsJSON reports whether --json was given, even on a line that could not be
// read to its end.
func wantsJSON(cmd *cobra.Command) bool {
	asked, err := cmd.Flags().GetBool("json")
	return err == nil && asked || slices.Contains(os.Args[1:], "--json")
}

func writeJSON(w io.Writer, document any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return err
	}
	// What a terminal obeys stands in texts only, where JSON has another way to
	// write it.
	text := b.String()
	if strings.ContainsFunc(text, commands) {
		var escaped strings.Builder
		for _, c := range text {
			if commands(c) {
				fmt.Fprintf(&escaped, `\u%04x`, c)
			} else {
				escaped.WriteRune(c)
			}
		}
		text = escaped.String()
	}
	_, err := io.WriteString(w, text)
	return err
}

// commands reports whether a terminal may take a character for an order, or
// whether it changes the direction of what follows.
func commands(c rune) bool {
	return unicode.IsControl(c) && c != '\n' && c != '\t' || unicode.Is(unicode.Bidi_Control, c)
}

// harmless passes on what is written without what a terminal would obey: names
// of files and texts of others are among it.
type harmless struct{ io.Writer }

func (w harmless) Write(p []byte) (int, error) {
	_, err := w.Writer.Write(bytes.Map(func(c rune) rune {
		if commands(c) {
			return utf8.RuneError
		}
		return c
	}, p))
	return len(p), err
}

// cell is a value that stays in its line and in its column.
func cell(s string) string { return hosting.Visible(s, longestCell) }

const longestCell = 4 << 10

// withError is a document with what went wrong after it was accepted.
func withError(document any, r refusal) (any, error) {
	data, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	if fields["error"], err = json.Marshal(r); err != nil {
		return nil, err
	}
	return fields, nil
}

// table writes rows in columns, the first of them the headings.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		for i, text := range row {
			if row[i] = cell(text); text == "" {
				row[i] = "–"
			}
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// sheet writes the labels and values of one thing, without those that are
// empty.
func sheet(w io.Writer, rows [][2]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", row[0], cell(row[1]))
		}
	}
	return t.Flush()
}
