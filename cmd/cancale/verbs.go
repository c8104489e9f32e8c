package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

// defaultWait is how long a bare --wait waits.
const defaultWait = 30 * time.Second

// addVerbs gives root the nouns and verbs of an administrator, and the flags
// that all of them know.
func addVerbs(root *cobra.Command) {
	root.PersistentFlags().Bool("json", false, "one JSON document on standard output, nothing else there")
	root.PersistentFlags().Var(new(waitFlag), "wait", "return when the change is live (0) or could not be applied (5); at most 30s, or --wait=DURATION")
	root.PersistentFlags().Lookup("wait").NoOptDefVal = defaultWait.String()
	root.AddCommand(
		statusCommand(), doctorCommand(),
		personCommand(), planCommand(), accountCommand(),
		siteCommand(), taskCommand(), databaseCommand(), ftpCommand(), settingsCommand(), auditCommand(), banCommand(), binCommand(), trashCommand(),
	)
	refuseAsUsage(root)
	root.SetArgs(joinWait(os.Args[1:]))
}

// refuseAsUsage makes a wrong number of arguments wrong usage, for root and
// everything beneath it.
func refuseAsUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			switch {
			case err != nil && cmd.HasParent():
				return usage("cli.usage_line", cmd.UseLine())
			case err != nil:
				return usage("cli.command_unknown", args[0])
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		refuseAsUsage(sub)
	}
}

// wrongFlag is what the parser of flags refuses, in words of the catalogue.
func wrongFlag(err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if short := e.GetSpecifiedShortnames(); short != "" {
			return usage("cli.flag_unknown", "-"+short)
		}
		return usage("cli.flag_unknown", "--"+e.GetSpecifiedName())
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("cli.flag_value", "--"+e.GetSpecifiedName())
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		key := "cli.flag_invalid"
		switch e.GetFlag().Value.(type) {
		case *waitFlag:
			key = "cli.flag_not_a_time"
		case *limitFlag:
			key = "cli.flag_not_a_limit"
		}
		return usage(key, "--"+e.GetFlag().Name, e.GetValue())
	}
	return usageError{err}
}

// waitFlag is --wait: a length of time, of seconds when it has no unit.
type waitFlag time.Duration

func (w *waitFlag) String() string { return time.Duration(*w).String() }
func (w *waitFlag) Type() string   { return "duration" }

func (w *waitFlag) Set(s string) error {
	if n, err := strconv.ParseUint(s, 10, 20); err == nil {
		*w = waitFlag(time.Duration(n) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return errors.New("give a length of time such as 30s or 2m")
	}
	*w = waitFlag(d)
	return nil
}

// joinWait turns `--wait 60s` into `--wait=60s`: the value of --wait is
// optional, and pflag takes an optional value only behind the sign.
func joinWait(args []string) []string {
	joined := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(joined, args[i:]...)
		}
		if args[i] == "--wait" && i+1 < len(args) {
			if new(waitFlag).Set(args[i+1]) == nil { // no name is a length of time
				joined = append(joined, "--wait="+args[i+1])
				i++
				continue
			}
		}
		joined = append(joined, args[i])
	}
	return joined
}

// noun is a command that only has verbs.
func noun(name, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name + " VERB",
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			names := make([]string, len(cmd.Commands()))
			for i, c := range cmd.Commands() {
				names[i] = c.Name()
			}
			if len(args) == 0 {
				return usage("cli.verb_missing", name, strings.Join(names, ", "))
			}
			return usage("cli.verb_unknown", args[0], name, strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// verb is one run of a command on the store of an installation.
type verb struct {
	cmd    *cobra.Command
	layout config.Layout
	status config.Status // what `up` wrote last; the zero Status when it never ran
	store  *store.Store
	actor  hosting.Actor
	json   bool
	wait   time.Duration // 0 is not to wait
	out    io.Writer
}

// run makes a cobra function of a verb's: it finds the installation, opens the
// store and closes it.
func run(fn func(ctx context.Context, v *verb, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx := speak(cmd.Context())
		v, err := newVerb(cmd)
		if err != nil {
			return err
		}
		if v.store, err = openStore(ctx, v.layout); err != nil {
			return err
		}
		defer v.store.Close()
		return fn(ctx, v, args)
	}
}

// newVerb is a verb that has no store yet.
func newVerb(cmd *cobra.Command) (*verb, error) {
	l, err := layout(cmd)
	if err != nil {
		return nil, err
	}
	// What a command has to say it says itself, in one line.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	v := &verb{cmd: cmd, layout: l, actor: hosting.System("cli:root"), out: cmd.OutOrStdout()}
	if v.json, err = cmd.Flags().GetBool("json"); err != nil {
		return nil, err
	}
	if w, ok := cmd.Flags().Lookup("wait").Value.(*waitFlag); ok {
		v.wait = time.Duration(*w)
	}
	if v.status, err = config.ReadStatus(l); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return v, nil
}

// openLimit is how long MariaDB may take to greet.
const openLimit = 10 * time.Second

// openStore opens the store as the command line, which reads its password in
// a file that only root may read.
func openStore(ctx context.Context, l config.Layout) (*store.Store, error) {
	file := l.In("etc", "cli.json")
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, hosting.Refuse(hosting.Unavailable, "", "cli.no_installation", l.Root)
	case errors.Is(err, os.ErrPermission):
		return nil, hosting.Refuse(hosting.Unavailable, "", "cli.not_root", file)
	case err != nil:
		return nil, err
	}
	var cfg store.Config
	if err := json.Unmarshal(data, &cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	// The file may hold the paths as the daemons see them; here is outside.
	cfg.Socket, cfg.AgentSocket = l.MariaDBSocket(), l.AgentSocket()
	limited, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	st, err := store.Open(limited, cfg)
	if err != nil {
		e := hosting.Refuse(hosting.Unavailable, "", "cli.database_down", l.Root)
		e.Err = err
		return nil, e
	}
	return st, nil
}

// scope is everything that the command line may see.
func (v *verb) scope(p hosting.Permission) hosting.Scope { return v.actor.Scope(p) }

// answer writes what the verb has to say: document for a script, or text for
// people.
func (v *verb) answer(document any, text func(w io.Writer) error) error {
	if v.json {
		return writeJSON(v.out, document)
	}
	return text(harmless{v.out})
}

// answerApplied is answer for a thing that the machine has followed, or not
// followed when problem is an error.
func (v *verb) answerApplied(ctx context.Context, document any, text func(w io.Writer) error, problem error) error {
	if problem == nil {
		return v.answer(document, text)
	}
	document, err := withError(document, explain(ctx, problem))
	if err != nil {
		return err
	}
	if err := v.answer(document, text); err != nil {
		return err
	}
	return answered{problem}
}

// follow waits, when --wait asks for it, until the machine has followed the
// wish of that generation. It gives what is then known, and an error of
// notAppliedError when the wish could not be met or not in time.
func (v *verb) follow(ctx context.Context, key hosting.Key, sync hosting.Sync) (hosting.Sync, error) {
	if v.wait == 0 {
		return sync, nil
	}
	limited, cancel := context.WithTimeout(ctx, v.wait)
	defer cancel()
	now, err := v.store.Wait(limited, key, sync.Generation)
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		return sync, notAppliedError{hosting.Msg("cli.not_in_time", v.wait.String())}
	case err != nil && hosting.KindOf(err) == hosting.NotFound && sync.Removing:
		sync.State, sync.Observed = hosting.Removed, sync.Generation
		return sync, nil
	case err != nil:
		return sync, err
	case now.State == hosting.Failed:
		return now, notAppliedError{now.Problem}
	}
	return now, nil
}

// host is the name by which the installation is reached.
func (v *verb) host() string {
	if u, err := url.Parse(v.status.PanelURL); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "localhost"
}

// siteURL is where Apache serves a host name.
func (v *verb) siteURL(h hosting.Hostname) string {
	host := h.String()
	if v.status.HTTPPort != 0 && v.status.HTTPPort != 80 {
		host = net.JoinHostPort(host, strconv.Itoa(v.status.HTTPPort))
	}
	return "http://" + host + "/"
}

// syncView is the state of a managed thing as scripts read it.
type syncView struct {
	State      hosting.State `json:"state"`
	Generation uint64        `json:"generation"`
	Observed   uint64        `json:"observed"`
	Problem    string        `json:"problem"`
	ProblemKey string        `json:"problem_key,omitempty"`
	Attempts   uint32        `json:"attempts"`
}

func viewSync(ctx context.Context, s hosting.Sync) syncView {
	return syncView{s.State, s.Generation, s.Observed, say(ctx, s.Problem), s.Problem.Key, s.Attempts}
}

// Flags that hold names are parsed where they enter. A name that cannot exist
// is, for whoever looks it up, a name that does not exist.
func forLookup(err error) error {
	if e, ok := errors.AsType[*hosting.Error](err); ok && e.Kind == hosting.Conflict {
		return &hosting.Error{Kind: hosting.NotFound, Field: e.Field, Message: e.Message}
	}
	return err
}

// account finds the account of a name that a person typed.
func (v *verb) account(ctx context.Context, field, typed string) (store.AccountRow, error) {
	name, err := hosting.ParseAccountName(typed)
	if err != nil {
		return store.AccountRow{}, inField(field, forLookup(err))
	}
	row, err := v.store.AccountByName(ctx, v.scope(hosting.AccountRead), name)
	return row, inField(field, err)
}

// site finds the site of a host name that a person typed.
func (v *verb) site(ctx context.Context, field, typed string) (store.SiteRow, error) {
	host, err := hosting.ParseHostname(typed)
	if err != nil {
		return store.SiteRow{}, inField(field, forLookup(err))
	}
	row, err := v.store.SiteByHost(ctx, v.scope(hosting.SitesRead), host)
	return row, inField(field, err)
}

// inField moves a refusal to the field that the name was typed in.
func inField(field string, err error) error {
	if e, ok := errors.AsType[*hosting.Error](err); ok {
		moved := *e
		moved.Field = field
		return &moved
	}
	return err
}

// text is the value of a flag of text, and whether it was given.
func (v *verb) text(name string) (string, bool) {
	value, err := v.cmd.Flags().GetString(name)
	return value, err == nil && v.cmd.Flags().Changed(name)
}

// parseDay accepts a date such as 2027-06-30 and gives the last moment of that
// day; "never" and an empty text are no date.
func parseDay(field, s string) (*time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" || s == "never" || s == "none" {
		return nil, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		return nil, hosting.Refuse(hosting.Invalid, field, "cli.date_invalid", s)
	}
	return new(day.AddDate(0, 0, 1).Add(-time.Second)), nil
}

// day is a date as parseDay reads it.
func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format(time.DateOnly)
}

// perPage is how many rows are read at once where all are wanted.
const perPage = 1000

// everything reads all pages of a list.
func everything[T any](read func(page int) ([]T, int, error)) ([]T, error) {
	return upTo(0, read)
}

// upTo reads pages of a list until it has limit rows; 0 is all of them.
func upTo[T any](limit int, read func(page int) ([]T, int, error)) ([]T, error) {
	all := []T{}
	for page := 1; ; page++ {
		rows, total, err := read(page)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], nil
		}
		if len(rows) == 0 || len(all) >= total {
			return all, nil
		}
	}
}

// said is the text of a verb that has one sentence to say.
func said(ctx context.Context, key string, args ...string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintln(w, i18n.Message(ctx, key, args))
		return err
	}
}

// stateTexts are the states for people.
var stateTexts = map[hosting.State]string{
	hosting.Pending:   "cli.state_pending",
	hosting.Applying:  "cli.state_applying",
	hosting.Live:      "cli.state_live",
	hosting.Failed:    "cli.state_failed",
	hosting.Suspended: "cli.state_suspended",
	hosting.Removing:  "cli.state_removing",
	hosting.Removed:   "cli.state_removed",
}

func sayState(ctx context.Context, s hosting.State) string {
	return i18n.T(ctx, stateTexts[s])
}

// sweepEvery is the pause between two looks at whether something is gone.
const sweepEvery = 100 * time.Millisecond

// untilGone waits as --wait asks until look finds nothing, and clears away
// what the machine is clean of. Without --wait it looks once.
func (v *verb) untilGone(ctx context.Context, look func() error) (gone bool, problem error) {
	end := time.Now().Add(v.wait)
	for {
		if _, err := v.store.Sweep(ctx); err != nil {
			return false, err
		}
		if err := look(); err != nil {
			if hosting.KindOf(err) == hosting.NotFound {
				return true, nil
			}
			return false, err
		}
		if v.wait == 0 {
			return false, nil
		}
		if time.Now().After(end) {
			return false, notAppliedError{hosting.Msg("cli.not_in_time", v.wait.String())}
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(sweepEvery):
		}
	}
}
