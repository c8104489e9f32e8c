package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func accountCommand() *cobra.Command {
	create := &cobra.Command{Use: "create NAME", Short: "Host one more association", Args: cobra.ExactArgs(1), RunE: run(createAccount)}
	update := &cobra.Command{Use: "update NAME", Short: "Change an account", Args: cobra.ExactArgs(1), RunE: run(updateAccount)}
	for _, cmd := range []*cobra.Command{create, update} {
		cmd.Flags().String("label", "", "name for people")
		cmd.Flags().String("plan", "", "plan; at creation, the oldest one when not given")
		cmd.Flags().String("expires", "", "last day of the membership, such as 2027-06-30, or never")
		cmd.Flags().String("note", "", "a note for the administrators")
	}
	list := &cobra.Command{Use: "list", Short: "List the accounts", Args: cobra.NoArgs, RunE: run(listAccounts)}
	list.Flags().String("search", "", "only those whose name or label holds a text")
	imported := &cobra.Command{Use: "import FILE", Short: "Create the associations of a CSV file, all of them or none; - is standard input", Args: cobra.ExactArgs(1), RunE: run(importAccounts)}
	imported.Flags().Bool("dry-run", false, "only say what would be created")
	return noun("account", "Hosted associations",
		create, list, imported,
		&cobra.Command{Use: "show NAME", Short: "Show an account", Args: cobra.ExactArgs(1), RunE: run(showAccount)},
		update,
		&cobra.Command{Use: "suspend NAME", Short: "Take everything of an account off line, and keep it", Args: cobra.ExactArgs(1), RunE: run(suspendAccount)},
		&cobra.Command{Use: "resume NAME", Short: "Put a suspended account on line again", Args: cobra.ExactArgs(1), RunE: run(resumeAccount)},
		addPurge(&cobra.Command{Use: "delete NAME", Short: "Remove an account and everything of it; `trash restore` brings it back", Args: cobra.ExactArgs(1), RunE: run(deleteAccount)}),
	)
}

// accountView is an account as scripts read it.
type accountView struct {
	Name    hosting.AccountName `json:"name"`
	Label   string              `json:"label"`
	Plan    hosting.PlanName    `json:"plan"`
	State   hosting.State       `json:"state"`
	Expires string              `json:"expires"`
	Note    string              `json:"note"`
	Usage   usageView           `json:"usage"`
	Created time.Time           `json:"created_at"`
	Removes *removalView        `json:"removes,omitempty"`
}

type usageView struct {
	Sites     int `json:"sites"`
	Databases int `json:"databases"`
	FTPLogins int `json:"ftp_logins"`
}

// removalView is what goes with an account.
type removalView struct {
	Sites     []hosting.Hostname     `json:"sites"`
	Databases []hosting.DatabaseName `json:"databases"`
	FTPLogins []hosting.FTPName      `json:"ftp_logins"`
	Persons   []hosting.Email        `json:"persons"` // who lose their role on it
}

func viewAccount(r store.AccountRow) accountView {
	return accountView{
		Name: r.Name, Label: r.Label, Plan: r.Plan.Name, State: r.State(), Expires: day(r.Expires), Note: r.Note,
		Usage:   usageView{r.Usage.Sites, r.Usage.Databases, r.Usage.FTPLogins},
		Created: r.CreatedAt,
	}
}

func createAccount(ctx context.Context, v *verb, args []string) error {
	name, err := hosting.ParseAccountName(args[0])
	spec := hosting.AccountSpec{Name: name}
	if err := v.accountSpec(ctx, &spec, err); err != nil {
		return err
	}
	if spec.Plan == "" {
		plans, err := v.store.Plans(ctx, v.scope(hosting.AdminRead))
		if err != nil {
			return err
		}
		if len(plans) == 0 {
			return hosting.Refuse(hosting.NotFound, "plan", "cli.no_plan")
		}
		oldest := slices.MinFunc(plans, func(a, b store.PlanRow) int { return cmp.Compare(a.ID, b.ID) })
		spec.Plan = oldest.Name
	}
	account, err := v.store.CreateAccount(ctx, v.actor, spec)
	if err != nil {
		return err
	}
	return v.answerAccount(ctx, account.Name)
}

// accountSpec fills spec with what the flags say; nameErr is what is wrong
// with the name already.
func (v *verb) accountSpec(ctx context.Context, spec *hosting.AccountSpec, nameErr error) error {
	var errs hosting.Errors
	errs.Add(nameErr)
	var err error
	if typed, given := v.text("label"); given {
		spec.Label, err = hosting.ParseLabel("label", typed)
		errs.Add(err)
	}
	if typed, given := v.text("note"); given {
		spec.Note, err = hosting.ParseLabel("note", typed)
		errs.Add(err)
	}
	if typed, given := v.text("expires"); given {
		spec.Expires, err = parseDay("expires", typed)
		errs.Add(err)
	}
	if errs.Err() != nil {
		return errs.Err()
	}
	if typed, given := v.text("plan"); given {
		row, err := v.plan(ctx, "plan", typed)
		if err != nil {
			return err
		}
		spec.Plan = row.Name
	}
	return nil
}

func listAccounts(ctx context.Context, v *verb, _ []string) error {
	var f store.AccountFilter
	f.Search, _ = v.text("search")
	rows, err := everything(func(page int) ([]store.AccountRow, int, error) {
		f.Page, f.PerPage = page, perPage
		return v.store.Accounts(ctx, v.scope(hosting.AccountRead), f)
	})
	if err != nil {
		return err
	}
	views := make([]accountView, len(rows))
	for i, r := range rows {
		views[i] = viewAccount(r)
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{
			i18n.T(ctx, "cli.name"), i18n.T(ctx, "cli.label"), i18n.T(ctx, "cli.plan"), i18n.T(ctx, "cli.state"),
			i18n.T(ctx, "cli.sites"), i18n.T(ctx, "cli.databases"), i18n.T(ctx, "cli.ftp_logins"), i18n.T(ctx, "cli.expires"),
		}}
		for _, a := range views {
			lines = append(lines, []string{
				string(a.Name), a.Label, string(a.Plan), sayState(ctx, a.State),
				strconv.Itoa(a.Usage.Sites), strconv.Itoa(a.Usage.Databases), strconv.Itoa(a.Usage.FTPLogins), a.Expires,
			})
		}
		return table(w, lines)
	})
}

func showAccount(ctx context.Context, v *verb, args []string) error {
	row, err := v.account(ctx, "name", args[0])
	if err != nil {
		return err
	}
	return v.answerAccount(ctx, row.Name)
}

func updateAccount(ctx context.Context, v *verb, args []string) error {
	row, err := v.account(ctx, "name", args[0])
	if err != nil {
		return err
	}
	spec := hosting.AccountSpec{Name: row.Name, Label: row.Label, Plan: row.Plan.Name, Expires: row.Expires, Note: row.Note}
	if err := v.accountSpec(ctx, &spec, nil); err != nil {
		return err
	}
	if _, err := v.store.UpdateAccount(ctx, v.actor, row.ID, spec); err != nil {
		return err
	}
	return v.answerAccount(ctx, row.Name)
}

func suspendAccount(ctx context.Context, v *verb, args []string) error {
	return v.turnAccount(ctx, args[0], v.store.SuspendAccount)
}

func resumeAccount(ctx context.Context, v *verb, args []string) error {
	return v.turnAccount(ctx, args[0], v.store.ResumeAccount)
}

// turnAccount suspends or resumes an account and follows everything of it.
func (v *verb) turnAccount(ctx context.Context, typed string, turn func(context.Context, hosting.Actor, hosting.AccountID) error) error {
	row, err := v.account(ctx, "name", typed)
	if err != nil {
		return err
	}
	if err := turn(ctx, v.actor, row.ID); err != nil {
		return err
	}
	if err := v.followAccount(ctx, row.ID); err != nil {
		return err
	}
	return v.answerAccount(ctx, row.Name)
}

// followAccount waits until the machine follows what is wished of all sites and
// databases of an account.
func (v *verb) followAccount(ctx context.Context, id hosting.AccountID) error {
	if v.wait == 0 {
		return nil
	}
	end := time.Now().Add(v.wait)
	sites, err := v.sitesOf(ctx, id)
	if err != nil {
		return err
	}
	databases, err := v.databasesOf(ctx, id)
	if err != nil {
		return err
	}
	left := *v // with a share of the time that grows shorter
	for _, s := range sites {
		left.wait = max(time.Until(end), time.Millisecond)
		if _, err := left.follow(ctx, hosting.Key{Resource: hosting.ResourceSite, ID: uint64(s.ID)}, s.Sync); err != nil {
			return err
		}
	}
	for _, d := range databases {
		left.wait = max(time.Until(end), time.Millisecond)
		if _, err := left.follow(ctx, hosting.Key{Resource: hosting.ResourceDatabase, ID: uint64(d.ID)}, d.Sync); err != nil {
			return err
		}
	}
	return nil
}

func deleteAccount(ctx context.Context, v *verb, args []string) error {
	row, err := v.account(ctx, "name", args[0])
	if err != nil {
		return err
	}
	removal, err := v.store.RemovalPreview(ctx, v.scope(hosting.AdminAccounts), row.ID)
	if err != nil {
		return err
	}
	if !v.json {
		if err := sayRemoval(ctx, harmless{v.out}, row, removal); err != nil {
			return err
		}
	}
	remove, follow := v.store.RemoveAccount, v.accountOff
	if v.purges() {
		remove, follow = v.store.PurgeAccount, v.accountGone
	}
	if err := remove(ctx, v.actor, row.ID); err != nil {
		return err
	}
	view := viewAccount(row)
	view.State = hosting.Removing
	view.Removes = &removalView{list(removal.Sites), list(removal.Databases), list(removal.FTPLogins), list(removal.Persons)}
	gone, problem := follow(ctx, row.ID)
	text := said(ctx, "cli.account_removing", string(row.Name))
	if gone {
		view.State = hosting.Removed
		text = said(ctx, "cli.account_removed", string(row.Name))
	}
	return v.answerApplied(ctx, view, text, problem)
}

// list is never null in JSON.
func list[T any](items []T) []T { return append([]T{}, items...) }

// sayRemoval says what goes with an account, before it goes.
func sayRemoval(ctx context.Context, w io.Writer, row store.AccountRow, r store.Removal) error {
	if len(r.Sites)+len(r.Databases)+len(r.FTPLogins)+len(r.Persons) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, i18n.T(ctx, "cli.account_will_go", string(row.Name))); err != nil {
		return err
	}
	return sheet(w, [][2]string{
		{"  " + i18n.T(ctx, "cli.sites"), joined(r.Sites)},
		{"  " + i18n.T(ctx, "cli.databases"), joined(r.Databases)},
		{"  " + i18n.T(ctx, "cli.ftp_logins"), joined(r.FTPLogins)},
		{"  " + i18n.T(ctx, "cli.roles_of"), joined(r.Persons)},
	})
}

func joined[T ~string](items []T) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = string(item)
	}
	return strings.Join(texts, ", ")
}

func (v *verb) answerAccount(ctx context.Context, name hosting.AccountName) error {
	row, err := v.store.AccountByName(ctx, v.scope(hosting.AccountRead), name)
	if err != nil {
		return err
	}
	a := viewAccount(row)
	return v.answer(a, func(w io.Writer) error {
		return sheet(w, [][2]string{
			{i18n.T(ctx, "cli.name"), string(a.Name)},
			{i18n.T(ctx, "cli.label"), a.Label},
			{i18n.T(ctx, "cli.plan"), string(a.Plan)},
			{i18n.T(ctx, "cli.state"), sayState(ctx, a.State)},
			{i18n.T(ctx, "cli.expires"), a.Expires},
			{i18n.T(ctx, "cli.note"), a.Note},
			{i18n.T(ctx, "cli.sites"), used(ctx, a.Usage.Sites, row.Plan.Sites)},
			{i18n.T(ctx, "cli.databases"), used(ctx, a.Usage.Databases, row.Plan.Databases)},
			{i18n.T(ctx, "cli.ftp_logins"), used(ctx, a.Usage.FTPLogins, row.Plan.FTPLogins)},
		})
	})
}

// used is how much of a limit is taken.
func used(ctx context.Context, n, limit int) string {
	return i18n.Number(ctx, int64(n)) + " / " + sayLimit(ctx, limit)
}
