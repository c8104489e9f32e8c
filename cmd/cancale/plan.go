package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func planCommand() *cobra.Command {
	create := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a plan; a limit that is not given is none",
		Args:  cobra.ExactArgs(1),
		RunE:  run(createPlan),
	}
	update := &cobra.Command{
		Use:   "update NAME",
		Short: "Change the limits or the label of a plan",
		Args:  cobra.ExactArgs(1),
		RunE:  run(updatePlan),
	}
	for _, cmd := range []*cobra.Command{create, update} {
		cmd.Flags().String("label", "", "name for people")
		cmd.Flags().Var(newLimit(), "sites", "how many sites, or unlimited")
		cmd.Flags().Var(newLimit(), "databases", "how many databases, or unlimited")
		cmd.Flags().Var(newLimit(), "ftp-logins", "how many FTP logins, or unlimited")
		cmd.Flags().Var(newLimit(), "disk-mb", "disk space in MB, or unlimited")
		cmd.Flags().Var(newLimit(), "database-mb", "size of one database in MB, or unlimited")
	}
	update.Flags().Bool("dry-run", false, "change nothing: list the accounts that would be over a lower limit")
	return noun("plan", "Sets of limits",
		create,
		&cobra.Command{Use: "list", Short: "List the plans", Args: cobra.NoArgs, RunE: run(listPlans)},
		&cobra.Command{Use: "show NAME", Short: "Show a plan", Args: cobra.ExactArgs(1), RunE: run(showPlan)},
		update,
		&cobra.Command{Use: "delete NAME", Short: "Delete a plan that no account has", Args: cobra.ExactArgs(1), RunE: run(deletePlan)},
	)
}

// limitFlag is a number of things, or unlimited.
type limitFlag int

func newLimit() *limitFlag { return new(limitFlag(hosting.Unlimited)) }

func (l *limitFlag) Type() string { return "number" }

func (l *limitFlag) String() string {
	if *l == hosting.Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(int(*l))
}

func (l *limitFlag) Set(s string) error {
	if s = strings.TrimSpace(s); s == "unlimited" {
		*l = hosting.Unlimited
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return errors.New("give a number, or unlimited")
	}
	if *l = limitFlag(n); n < 0 {
		*l = limitFlag(hosting.Unlimited - 1) // refused; the number for unlimited is ours alone
	}
	return nil
}

// limit is the value of a flag of limitFlag when it was given, otherwise what
// it was before.
func (v *verb) limit(name string, before int) int {
	flag := v.cmd.Flags().Lookup(name)
	if l, ok := flag.Value.(*limitFlag); ok && flag.Changed {
		return int(*l)
	}
	return before
}

// planView is a plan as scripts read it; -1 is unlimited.
type planView struct {
	Name       hosting.PlanName `json:"name"`
	Label      string           `json:"label"`
	Sites      int              `json:"sites"`
	Databases  int              `json:"databases"`
	FTPLogins  int              `json:"ftp_logins"`
	DiskMB     int              `json:"disk_mb"`
	DatabaseMB int              `json:"database_mb"`
	Accounts   int              `json:"accounts"`
}

func viewPlan(p hosting.Plan, accounts int) planView {
	return planView{p.Name, p.Label, p.Sites, p.Databases, p.FTPLogins, p.DiskMB, p.DatabaseMB, accounts}
}

func createPlan(ctx context.Context, v *verb, args []string) error {
	spec, err := v.planSpec(args[0], hosting.Plan{
		Sites: hosting.Unlimited, Databases: hosting.Unlimited, FTPLogins: hosting.Unlimited, DiskMB: hosting.Unlimited, DatabaseMB: hosting.Unlimited,
	})
	if err != nil {
		return err
	}
	plan, err := v.store.CreatePlan(ctx, v.actor, spec)
	if err != nil {
		return err
	}
	return v.answerPlan(ctx, viewPlan(plan, 0))
}

func updatePlan(ctx context.Context, v *verb, args []string) error {
	row, err := v.plan(ctx, "name", args[0])
	if err != nil {
		return err
	}
	spec, err := v.planSpec(args[0], row.Plan)
	if err != nil {
		return err
	}
	if dry, err := v.cmd.Flags().GetBool("dry-run"); err != nil || dry {
		return errors.Join(err, v.answerEffects(ctx, row, spec))
	}
	plan, err := v.store.UpdatePlan(ctx, v.actor, row.Name, spec)
	if err != nil {
		return err
	}
	return v.answerPlan(ctx, viewPlan(plan, row.Accounts))
}

// effectView is an account that would be over lower limits.
type effectView struct {
	Account hosting.AccountName `json:"account"`
	Label   string              `json:"label"`
	Over    []excessView        `json:"over"`
}

type excessView struct {
	Limit string `json:"limit"`
	Used  int64  `json:"used"` // things, or bytes
	Most  int64  `json:"most"`
}

// effectsView is a plan as it would be, and who would be over its limits.
type effectsView struct {
	planView
	Over []effectView `json:"over"`
}

func (v *verb) answerEffects(ctx context.Context, row store.PlanRow, spec hosting.PlanSpec) error {
	effects, err := v.store.PlanEffects(ctx, v.scope(hosting.AdminRead), row.Name, spec)
	if err != nil {
		return err
	}
	answer := effectsView{viewPlan(store.PlanOf(spec), row.Accounts), []effectView{}}
	lines := [][]string{{i18n.T(ctx, "cli.name"), i18n.T(ctx, "cli.label"), i18n.T(ctx, "cli.over")}}
	for _, e := range effects {
		view := effectView{Account: e.Account.Name, Label: e.Account.Label}
		for _, x := range e.Excesses {
			view.Over = append(view.Over, excessView(x))
			lines = append(lines, []string{string(e.Account.Name), e.Account.Label, sayExcess(ctx, x)})
		}
		answer.Over = append(answer.Over, view)
	}
	return v.answer(answer, func(w io.Writer) error {
		if len(effects) == 0 {
			_, err := io.WriteString(w, i18n.T(ctx, "effect.none")+"\n")
			return err
		}
		return table(w, lines)
	})
}

// sayExcess is what is beyond a limit, in words.
func sayExcess(ctx context.Context, x hosting.Excess) string {
	name, say := "cli."+x.Limit, i18n.Number
	switch x.Limit {
	case "disk_mb":
		name, say = "cli.disk", i18n.Bytes
	case "database_mb":
		name, say = "cli.database_size", i18n.Bytes
	}
	return i18n.T(ctx, "effect.line", i18n.T(ctx, name), say(ctx, x.Used), say(ctx, x.Most))
}

// planSpec is what the flags ask for, on top of what was before.
func (v *verb) planSpec(typed string, before hosting.Plan) (hosting.PlanSpec, error) {
	var errs hosting.Errors
	name, err := hosting.ParsePlanName(typed)
	errs.Add(err)
	label := before.Label
	if typed, given := v.text("label"); given {
		label, err = hosting.ParseLabel("label", typed)
		errs.Add(err)
	}
	spec := hosting.PlanSpec{
		Name:       name,
		Label:      label,
		Sites:      v.limit("sites", before.Sites),
		Databases:  v.limit("databases", before.Databases),
		FTPLogins:  v.limit("ftp-logins", before.FTPLogins),
		DiskMB:     v.limit("disk-mb", before.DiskMB),
		DatabaseMB: v.limit("database-mb", before.DatabaseMB),
	}
	if errs.Err() == nil {
		return spec, spec.Check()
	}
	return spec, errs.Err()
}

func listPlans(ctx context.Context, v *verb, _ []string) error {
	rows, err := v.store.Plans(ctx, v.scope(hosting.AdminRead))
	if err != nil {
		return err
	}
	views := make([]planView, len(rows))
	for i, r := range rows {
		views[i] = viewPlan(r.Plan, r.Accounts)
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{
			i18n.T(ctx, "cli.name"), i18n.T(ctx, "cli.label"), i18n.T(ctx, "cli.sites"), i18n.T(ctx, "cli.databases"),
			i18n.T(ctx, "cli.ftp_logins"), i18n.T(ctx, "cli.disk"), i18n.T(ctx, "cli.accounts"),
		}}
		for _, p := range views {
			lines = append(lines, []string{
				string(p.Name), p.Label, sayLimit(ctx, p.Sites), sayLimit(ctx, p.Databases),
				sayLimit(ctx, p.FTPLogins), sayDisk(ctx, p.DiskMB), strconv.Itoa(p.Accounts),
			})
		}
		return table(w, lines)
	})
}

func showPlan(ctx context.Context, v *verb, args []string) error {
	row, err := v.plan(ctx, "name", args[0])
	if err != nil {
		return err
	}
	return v.answerPlan(ctx, viewPlan(row.Plan, row.Accounts))
}

func deletePlan(ctx context.Context, v *verb, args []string) error {
	row, err := v.plan(ctx, "name", args[0])
	if err != nil {
		return err
	}
	if err := v.store.DeletePlan(ctx, v.actor, row.Name); err != nil {
		return err
	}
	return v.answer(viewPlan(row.Plan, 0), said(ctx, "cli.plan_deleted", string(row.Name)))
}

// plan finds the plan of a name that a person typed.
func (v *verb) plan(ctx context.Context, field, typed string) (store.PlanRow, error) {
	name, err := hosting.ParsePlanName(typed)
	if err != nil {
		return store.PlanRow{}, inField(field, err)
	}
	row, err := v.store.Plan(ctx, v.scope(hosting.AdminRead), name)
	return row, inField(field, err)
}

func (v *verb) answerPlan(ctx context.Context, p planView) error {
	return v.answer(p, func(w io.Writer) error {
		return sheet(w, [][2]string{
			{i18n.T(ctx, "cli.name"), string(p.Name)},
			{i18n.T(ctx, "cli.label"), p.Label},
			{i18n.T(ctx, "cli.sites"), sayLimit(ctx, p.Sites)},
			{i18n.T(ctx, "cli.databases"), sayLimit(ctx, p.Databases)},
			{i18n.T(ctx, "cli.ftp_logins"), sayLimit(ctx, p.FTPLogins)},
			{i18n.T(ctx, "cli.disk"), sayDisk(ctx, p.DiskMB)},
			{i18n.T(ctx, "cli.database_size"), sayDisk(ctx, p.DatabaseMB)},
			{i18n.T(ctx, "cli.accounts"), strconv.Itoa(p.Accounts)},
		})
	})
}

func sayLimit(ctx context.Context, n int) string {
	if n == hosting.Unlimited {
		return i18n.T(ctx, "cli.unlimited")
	}
	return i18n.Number(ctx, int64(n))
}

func sayDisk(ctx context.Context, mb int) string {
	if mb == hosting.Unlimited {
		return i18n.T(ctx, "cli.unlimited")
	}
	return i18n.Bytes(ctx, int64(mb)<<20)
}
