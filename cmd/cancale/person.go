package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func personCommand() *cobra.Command {
	create := &cobra.Command{
		Use:   "create EMAIL",
		Short: "Add a person; the answer holds the link by which they choose a password",
		Args:  cobra.ExactArgs(1),
		RunE:  run(createPerson),
	}
	create.Flags().String("name", "", "name for people")
	create.Flags().String("role", "member", "administrator, technician or member")
	create.Flags().String("language", "", "fr or en")
	create.Flags().Bool("password-stdin", false, "read the password from standard input instead of making a link")
	add := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Give a person a role on one more account",
		Args:  cobra.ExactArgs(1),
		RunE:  run(addMember),
	}
	for _, cmd := range []*cobra.Command{create, add} {
		cmd.Flags().String("account", "", "account that the person works for")
		cmd.Flags().String("as", "", "owner, webmaster or contractor of that account (owner when not given)")
		cmd.Flags().String("until", "", "last day of that role, such as 2027-06-30")
	}
	list := &cobra.Command{Use: "list", Short: "List the persons", Args: cobra.NoArgs, RunE: run(listPersons)}
	list.Flags().String("account", "", "only those of one account")
	return noun("person", "Persons who sign in",
		create, add, list,
		&cobra.Command{Use: "show EMAIL", Short: "Show a person", Args: cobra.ExactArgs(1), RunE: run(showPerson)},
		&cobra.Command{Use: "invite EMAIL", Short: "Make a new link to choose a password", Args: cobra.ExactArgs(1), RunE: run(invitePerson)},
		&cobra.Command{Use: "totp-reset EMAIL", Short: "Take the two-step verification and the passkeys of a person away, who has lost them", Args: cobra.ExactArgs(1), RunE: run(resetFactor)},
		&cobra.Command{Use: "disable EMAIL", Short: "Let a person sign in no more", Args: cobra.ExactArgs(1), RunE: run(disablePerson)},
		&cobra.Command{Use: "enable EMAIL", Short: "Let a person sign in again", Args: cobra.ExactArgs(1), RunE: run(enablePerson)},
	)
}

// personView is a person as scripts read it.
type personView struct {
	Email         hosting.Email    `json:"email"`
	Name          string           `json:"name"`
	Role          string           `json:"role"`
	Accounts      []membershipView `json:"accounts"`
	Invited       bool             `json:"invited"` // has no password yet
	Disabled      bool             `json:"disabled"`
	TwoStep       *twoStepView     `json:"two_step,omitempty"` // nil is none, or not asked for
	InvitationURL string           `json:"invitation_url,omitempty"`
	Expires       *time.Time       `json:"invitation_expires,omitempty"`
}

// twoStepView is what protects a person besides the password.
type twoStepView struct {
	Codes         bool `json:"codes"` // of an authenticator
	Passkeys      int  `json:"passkeys"`
	RecoveryCodes int  `json:"recovery_codes"` // left
}

type membershipView struct {
	Account hosting.AccountName `json:"account"`
	As      hosting.Role        `json:"as"`
	Until   string              `json:"until,omitempty"`
}

// memberRole is what the platform's role of a person is called who has none.
const memberRole = "member"

func viewPerson(row store.PersonRow) personView {
	p := personView{
		Email: row.Email, Name: row.Name, Role: string(row.Role),
		Accounts: make([]membershipView, len(row.Memberships)),
		Invited:  row.Invited, Disabled: row.Disabled,
	}
	if row.Role == hosting.NoRole {
		p.Role = memberRole
	}
	for i, m := range row.Memberships {
		p.Accounts[i] = membershipView{m.AccountName, m.Role, day(m.Until)}
	}
	return p
}

// invite adds the link of an invitation.
func (p personView) invite(v *verb, i store.Invitation) personView {
	if i.Token != "" {
		p.InvitationURL = strings.TrimSuffix(v.status.PanelURL, "/") + "/invitation/" + i.Token
		p.Expires = &i.Expires
	}
	return p
}

func createPerson(ctx context.Context, v *verb, args []string) error {
	spec, memberships, err := v.personSpec(ctx, args[0])
	if err != nil {
		return err
	}
	fromInput, err := v.cmd.Flags().GetBool("password-stdin")
	if err != nil {
		return err
	}
	if !fromInput {
		person, invitation, err := v.store.CreatePerson(ctx, v.actor, spec, memberships)
		if err != nil {
			return err
		}
		return v.answerPerson(ctx, person.Email, invitation)
	}
	password, err := readPassword(v.cmd.InOrStdin())
	if err != nil {
		return err
	}
	person, err := v.store.CreatePersonWithPassword(ctx, v.actor, spec, memberships, password)
	if err != nil {
		return err
	}
	return v.answerPerson(ctx, person.Email, store.Invitation{})
}

// maxPasswordLine is more than any password; it bounds what is read.
const maxPasswordLine = 4096

// readPassword reads one line, without its end.
func readPassword(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPasswordLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (v *verb) personSpec(ctx context.Context, typed string) (hosting.PersonSpec, []store.MembershipSpec, error) {
	var errs hosting.Errors
	var spec hosting.PersonSpec
	var err error
	spec.Email, err = hosting.ParseEmail(typed)
	errs.Add(err)
	name, _ := v.text("name")
	spec.Name, err = hosting.ParseLabel("name", name)
	errs.Add(err)
	role, _ := v.text("role")
	spec.Role, err = parsePlatformRole(role)
	errs.Add(err)
	spec.Language, _ = v.text("language")
	if spec.Language == "" {
		spec.Language = i18n.Languages[0]
	}
	if spec.Language != "fr" && spec.Language != "en" {
		errs.Add(hosting.Refuse(hosting.Invalid, "language", "cli.language_unknown"))
	}
	if err := errs.Err(); err != nil {
		return spec, nil, err
	}
	if typed, _ := v.text("account"); typed == "" {
		for _, flag := range []string{"as", "until"} {
			if _, given := v.text(flag); given {
				return spec, nil, usage("cli.flag_needs", "--"+flag, "--account")
			}
		}
		return spec, nil, nil
	}
	m, err := v.membership(ctx)
	return spec, []store.MembershipSpec{m}, err
}

// membership is what --account, --as and --until ask for.
func (v *verb) membership(ctx context.Context) (store.MembershipSpec, error) {
	typed, _ := v.text("account")
	account, err := v.account(ctx, "account", typed)
	if err != nil {
		return store.MembershipSpec{}, err
	}
	as, _ := v.text("as")
	role, err := parseRole(as)
	if err != nil {
		return store.MembershipSpec{}, err
	}
	until, _ := v.text("until")
	last, err := parseDay("until", until)
	return store.MembershipSpec{Account: account.ID, Role: role, Until: last}, err
}

func parsePlatformRole(s string) (hosting.PlatformRole, error) {
	switch r := hosting.PlatformRole(s); r {
	case hosting.Administrator, hosting.Technician:
		return r, nil
	case hosting.NoRole, memberRole:
		return hosting.NoRole, nil
	}
	return hosting.NoRole, hosting.Refuse(hosting.Invalid, "role", "cli.role_unknown", s)
}

func parseRole(s string) (hosting.Role, error) {
	switch r := hosting.Role(s); r {
	case hosting.Owner, hosting.Webmaster, hosting.Contractor:
		return r, nil
	case "":
		return hosting.Owner, nil
	}
	return "", hosting.Refuse(hosting.Invalid, "as", "cli.as_unknown", s)
}

func addMember(ctx context.Context, v *verb, args []string) error {
	email, err := hosting.ParseEmail(args[0])
	if err != nil {
		return err
	}
	if typed, _ := v.text("account"); typed == "" {
		return usage("cli.flag_missing", "--account")
	}
	m, err := v.membership(ctx)
	if err != nil {
		return err
	}
	person, invitation, err := v.store.AddMember(ctx, v.actor, hosting.PersonSpec{Email: email, Language: i18n.Languages[0]}, m)
	if err != nil {
		return err
	}
	return v.answerPerson(ctx, person.Email, invitation)
}

func listPersons(ctx context.Context, v *verb, _ []string) error {
	var f store.PersonFilter
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		f.Account = account.ID
	}
	rows, err := everything(func(page int) ([]store.PersonRow, int, error) {
		f.Page, f.PerPage = page, perPage
		return v.store.Persons(ctx, v.scope(hosting.AdminPersons), f)
	})
	if err != nil {
		return err
	}
	views := make([]personView, len(rows))
	for i, r := range rows {
		views[i] = viewPerson(r)
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "cli.email"), i18n.T(ctx, "cli.name"), i18n.T(ctx, "cli.role"), i18n.T(ctx, "cli.accounts")}}
		for _, p := range views {
			lines = append(lines, []string{string(p.Email), p.Name, p.Role, p.accounts()})
		}
		return table(w, lines)
	})
}

// accounts are the roles of a person in one line.
func (p personView) accounts() string {
	texts := make([]string, len(p.Accounts))
	for i, m := range p.Accounts {
		texts[i] = string(m.Account) + " (" + string(m.As) + ")"
	}
	return strings.Join(texts, ", ")
}

func showPerson(ctx context.Context, v *verb, args []string) error {
	row, err := v.person(ctx, args[0])
	if err != nil {
		return err
	}
	return v.answerPerson(ctx, row.Email, store.Invitation{})
}

func invitePerson(ctx context.Context, v *verb, args []string) error {
	row, err := v.person(ctx, args[0])
	if err != nil {
		return err
	}
	invitation, err := v.store.Invite(ctx, v.actor, row.ID)
	if err != nil {
		return err
	}
	return v.answerPerson(ctx, row.Email, invitation)
}

func resetFactor(ctx context.Context, v *verb, args []string) error {
	row, err := v.person(ctx, args[0])
	if err != nil {
		return err
	}
	if err := v.store.ResetFactor(ctx, v.actor, row.ID); err != nil {
		return err
	}
	return v.answerPerson(ctx, row.Email, store.Invitation{})
}

func disablePerson(ctx context.Context, v *verb, args []string) error {
	row, err := v.person(ctx, args[0])
	if err != nil {
		return err
	}
	if err := v.store.DisablePerson(ctx, v.actor, row.ID); err != nil {
		return err
	}
	return v.answerPerson(ctx, row.Email, store.Invitation{})
}

func enablePerson(ctx context.Context, v *verb, args []string) error {
	row, err := v.person(ctx, args[0])
	if err != nil {
		return err
	}
	if err := v.store.EnablePerson(ctx, v.actor, row.ID); err != nil {
		return err
	}
	return v.answerPerson(ctx, row.Email, store.Invitation{})
}

// person finds the person of an address that somebody typed.
func (v *verb) person(ctx context.Context, typed string) (store.PersonRow, error) {
	email, err := hosting.ParseEmail(typed)
	if err != nil {
		return store.PersonRow{}, err
	}
	row, err := v.store.PersonByEmail(ctx, v.scope(hosting.AdminPersons), email)
	return row, inField("email", err)
}

// answerPerson says what is now known of a person, with the link when there is
// one.
func (v *verb) answerPerson(ctx context.Context, email hosting.Email, invitation store.Invitation) error {
	row, err := v.store.PersonByEmail(ctx, v.scope(hosting.AdminPersons), email)
	if err != nil {
		return err
	}
	p := viewPerson(row).invite(v, invitation)
	factor, err := v.store.Factor(ctx, row.ID)
	if err != nil {
		return err
	}
	if factor.On {
		p.TwoStep = &twoStepView{Codes: factor.Codes, Passkeys: factor.Passkeys, RecoveryCodes: factor.Recovery}
	}
	return v.answer(p, func(w io.Writer) error {
		rows := [][2]string{
			{i18n.T(ctx, "cli.email"), string(p.Email)},
			{i18n.T(ctx, "cli.name"), p.Name},
			{i18n.T(ctx, "cli.role"), p.Role},
			{i18n.T(ctx, "cli.accounts"), p.accounts()},
		}
		if p.Disabled {
			rows = append(rows, [2]string{i18n.T(ctx, "cli.state"), i18n.T(ctx, "cli.disabled")})
		}
		if f := p.TwoStep; f != nil {
			codes := i18n.T(ctx, "cli.no")
			if f.Codes {
				codes = i18n.T(ctx, "cli.yes")
			}
			rows = append(rows, [2]string{i18n.T(ctx, "cli.two_step"), codes}, [2]string{i18n.T(ctx, "cli.passkeys"), strconv.Itoa(f.Passkeys)})
		}
		if p.InvitationURL != "" {
			rows = append(rows, [2]string{i18n.T(ctx, "cli.invitation"), p.InvitationURL}, [2]string{i18n.T(ctx, "cli.valid_until"), i18n.DateTime(ctx, *p.Expires)})
		}
		return sheet(w, rows)
	})
}
