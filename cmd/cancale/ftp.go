package main

import (
	"context"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func ftpCommand() *cobra.Command {
	create := &cobra.Command{Use: "create LOGIN", Short: "Make an FTP login; the password is shown this once", Args: cobra.ExactArgs(1), RunE: run(createFTP)}
	create.Flags().String("account", "", "account that the login belongs to; LOGIN alone may say it, as name@ACCOUNT")
	update := &cobra.Command{Use: "update LOGIN", Short: "Change what an FTP login reaches and may do; its sessions end", Args: cobra.ExactArgs(1), RunE: run(updateFTP)}
	for _, cmd := range []*cobra.Command{create, update} {
		cmd.Flags().String("site", "", "host name of the one site that it reaches, or all")
		cmd.Flags().String("path", "", "folder of the site's home that it is held in")
		cmd.Flags().Bool("read-only", false, "the same as --rights read-only")
		cmd.Flags().String("rights", "", "read-write, read-only or upload-only")
		cmd.Flags().Bool("require-tls", false, "let it in over TLS only")
		cmd.Flags().Int("speed-kb", 0, "KB/s each way, of all its sessions together; 0 is as the settings say")
		cmd.Flags().Int("sessions", 0, "sessions at a time; 0 is as the settings say")
	}
	list := &cobra.Command{Use: "list", Short: "List the FTP logins", Args: cobra.NoArgs, RunE: run(listFTP)}
	show := &cobra.Command{Use: "show LOGIN", Short: "Show an FTP login", Args: cobra.ExactArgs(1), RunE: run(showFTP)}
	reset := &cobra.Command{Use: "reset-password LOGIN", Short: "Draw a new password, shown this once", Args: cobra.ExactArgs(1), RunE: run(resetFTP)}
	enable := &cobra.Command{Use: "enable LOGIN", Short: "Let a login in again", Args: cobra.ExactArgs(1), RunE: run(enableFTP)}
	disable := &cobra.Command{Use: "disable LOGIN", Short: "Let a login in no more, and keep it", Args: cobra.ExactArgs(1), RunE: run(disableFTP)}
	remove := addPurge(&cobra.Command{Use: "delete LOGIN", Short: "Remove an FTP login; `trash restore` brings it back", Args: cobra.ExactArgs(1), RunE: run(deleteFTP)})
	for _, cmd := range []*cobra.Command{update, list, show, reset, enable, disable, remove} {
		cmd.Flags().String("account", "", "account that the login belongs to")
	}
	return noun("ftp", "FTP logins", create, list, show, update, reset, enable, disable, remove, transfersCommand(), sessionsCommand(), endCommand(), ftpKeyCommand())
}

// ftpView is an FTP login as scripts read it.
type ftpView struct {
	Login    hosting.FTPName     `json:"login"`
	Password string              `json:"password,omitempty"`
	Host     string              `json:"host"` // of the FTP server
	Port     int                 `json:"port"`
	SFTPPort int                 `json:"sftp_port"`
	Root     string              `json:"root"` // on this machine; "/" is the list of the account's sites
	Account  hosting.AccountName `json:"account"`
	Site     hosting.Hostname    `json:"site"`
	Path     string              `json:"path"` // in the site's home
	ReadOnly bool                `json:"read_only"`
	Rights   hosting.FTPRights   `json:"rights"`
	TLS      bool                `json:"require_tls"`
	SpeedKB  int                 `json:"speed_kb"` // 0 is as the settings say
	Sessions int                 `json:"sessions"` // likewise
	Enabled  bool                `json:"enabled"`
	Created  time.Time           `json:"created_at"`
	LastUsed *time.Time          `json:"last_used_at"`
}

// viewFTP needs the login's site to say where its root is.
func (v *verb) viewFTP(l hosting.FTPLogin, account hosting.AccountName, site hosting.Site) ftpView {
	root := "/"
	if l.SiteID != 0 {
		root = filepath.Join(v.layout.Home(string(site.HomeToken)), string(l.Path))
	}
	return ftpView{
		Login: l.Login, Host: v.host(), Port: v.status.FTPPort, SFTPPort: v.status.SFTPPort, Root: root, Account: account, Site: site.Host, Path: "/" + string(l.Path),
		ReadOnly: l.Rights == hosting.FTPReadOnly, Rights: l.Rights, TLS: l.RequireTLS, SpeedKB: l.SpeedKB, Sessions: l.Sessions,
		Enabled: !l.Disabled, Created: l.CreatedAt, LastUsed: l.LastUsedAt,
	}
}

func createFTP(ctx context.Context, v *verb, args []string) error {
	typed, _ := v.text("account")
	if typed == "" {
		var whole bool
		if _, typed, whole = strings.Cut(args[0], "@"); !whole {
			return usage("cli.flag_missing", "--account")
		}
	}
	account, err := v.account(ctx, "account", typed)
	if err != nil {
		return err
	}
	name, unfit := hosting.ParseFTPName(account.Name, args[0])
	spec, site, err := v.ftpSpec(ctx, hosting.FTPSpec{Login: name}, store.SiteRow{})
	if unfit != nil {
		var errs hosting.Errors
		errs.Add(unfit)
		errs.Add(err)
		return errs
	}
	if err != nil {
		return err
	}
	login, password, err := v.store.CreateFTPLogin(ctx, v.actor, account.ID, spec)
	if err != nil {
		return err
	}
	view := v.viewFTP(login, account.Name, site.Site)
	view.Password = password
	return v.answerFTP(ctx, view)
}

// ftpSpec is what the flags ask for, on top of what was before. site is the one
// that the login reaches then.
func (v *verb) ftpSpec(ctx context.Context, spec hosting.FTPSpec, site store.SiteRow) (hosting.FTPSpec, store.SiteRow, error) {
	var errs hosting.Errors
	var err error
	if host, given := v.text("site"); given && host == "all" {
		spec.Site, spec.Path, site = 0, "", store.SiteRow{}
	} else if given {
		if site, err = v.site(ctx, "site", host); err != nil {
			return spec, site, err
		}
		spec.Site = site.ID
	}
	if folder, given := v.text("path"); given {
		if spec.Path, err = hosting.ParseFolder(folder); spec.Path != "" && spec.Site == 0 {
			return spec, site, usage("cli.flag_needs", "--path", "--site")
		}
		errs.Add(err)
	}
	flags := v.cmd.Flags()
	if only, err := flags.GetBool("read-only"); err == nil && flags.Changed("read-only") {
		spec.Rights = hosting.FTPReadWrite
		if only {
			spec.Rights = hosting.FTPReadOnly
		}
	}
	if rights, given := v.text("rights"); given {
		spec.Rights, err = hosting.ParseFTPRights(strings.ReplaceAll(rights, "-", "_"))
		errs.Add(err)
	}
	if required, err := flags.GetBool("require-tls"); err == nil && flags.Changed("require-tls") {
		spec.RequireTLS = required
	}
	for name, at := range map[string]*int{"speed-kb": &spec.SpeedKB, "sessions": &spec.Sessions} {
		if n, err := flags.GetInt(name); err == nil && flags.Changed(name) {
			*at = n
		}
	}
	if errs.Err() == nil {
		errs.Add(spec.FTPTerms.Check())
	}
	return spec, site, errs.Err()
}

func updateFTP(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	spec, _, err := v.ftpSpec(ctx, hosting.FTPSpec{Login: row.Login, Site: row.SiteID, Path: row.Path, FTPTerms: row.FTPTerms}, store.SiteRow{})
	if err != nil {
		return err
	}
	if row.FTPLogin, err = v.store.UpdateFTPLogin(ctx, v.actor, row.ID, spec); err != nil {
		return err
	}
	return v.answerFTPRow(ctx, row, "")
}

// ftp finds the login that a person typed: name@account, the account's own
// name, or a name beside --account.
func (v *verb) ftp(ctx context.Context, typed string) (store.FTPRow, error) {
	account, given := v.text("account")
	if !given {
		account = typed[strings.LastIndexByte(typed, '@')+1:]
	}
	owner, err := hosting.ParseAccountName(account)
	if err != nil {
		return store.FTPRow{}, hosting.Refuse(hosting.NotFound, "login", "cli.ftp_unknown", typed)
	}
	login, err := hosting.ParseFTPName(owner, typed)
	if err != nil {
		return store.FTPRow{}, forLookup(err)
	}
	row, err := v.store.FTPLoginByName(ctx, v.scope(hosting.FTPRead), login)
	return row, inField("login", err)
}

func resetFTP(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	login, password, err := v.store.ResetFTPPassword(ctx, v.actor, row.ID)
	if err != nil {
		return err
	}
	row.FTPLogin = login
	return v.answerFTPRow(ctx, row, password)
}

func enableFTP(ctx context.Context, v *verb, args []string) error {
	return v.turnFTP(ctx, args[0], true)
}

func disableFTP(ctx context.Context, v *verb, args []string) error {
	return v.turnFTP(ctx, args[0], false)
}

func (v *verb) turnFTP(ctx context.Context, typed string, enabled bool) error {
	row, err := v.ftp(ctx, typed)
	if err != nil {
		return err
	}
	if row.FTPLogin, err = v.store.SetFTPEnabled(ctx, v.actor, row.ID, enabled); err != nil {
		return err
	}
	return v.answerFTPRow(ctx, row, "")
}

func deleteFTP(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	remove := v.store.RemoveFTPLogin
	if v.purges() {
		remove = v.store.PurgeFTPLogin
	}
	if err := remove(ctx, v.actor, row.ID); err != nil {
		return err
	}
	return v.answer(struct {
		Login hosting.FTPName `json:"login"`
		State hosting.State   `json:"state"`
	}{row.Login, hosting.Removed}, said(ctx, "cli.ftp_deleted", string(row.Login)))
}

func showFTP(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	return v.answerFTPRow(ctx, row, "")
}

func (v *verb) answerFTPRow(ctx context.Context, row store.FTPRow, password string) error {
	var site store.SiteRow
	if row.SiteID != 0 {
		var err error
		if site, err = v.store.Site(ctx, v.scope(hosting.SitesRead), row.SiteID); err != nil {
			return err
		}
	}
	view := v.viewFTP(row.FTPLogin, row.AccountName, site.Site)
	view.Password = password
	return v.answerFTP(ctx, view)
}

func listFTP(ctx context.Context, v *verb, _ []string) error {
	var f store.FTPFilter
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		f.Account = account.ID
	}
	rows, err := everything(func(page int) ([]store.FTPRow, int, error) {
		f.Page, f.PerPage = page, perPage
		return v.store.FTPLogins(ctx, v.scope(hosting.FTPRead), f)
	})
	if err != nil {
		return err
	}
	sites, err := v.sitesOf(ctx, f.Account)
	if err != nil {
		return err
	}
	byID := make(map[hosting.SiteID]hosting.Site, len(sites))
	for _, s := range sites {
		byID[s.ID] = s.Site
	}
	views := make([]ftpView, len(rows))
	for i, r := range rows {
		views[i] = v.viewFTP(r.FTPLogin, r.AccountName, byID[r.SiteID])
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{
			i18n.T(ctx, "cli.login"), i18n.T(ctx, "cli.account"), i18n.T(ctx, "cli.site"), i18n.T(ctx, "cli.path"), i18n.T(ctx, "cli.rights"), i18n.T(ctx, "cli.state"),
		}}
		for _, l := range views {
			lines = append(lines, []string{string(l.Login), string(l.Account), l.Site.Unicode(), l.Path, sayRights(ctx, l), sayEnabled(ctx, l)})
		}
		return table(w, lines)
	})
}

func (v *verb) answerFTP(ctx context.Context, l ftpView) error {
	return v.answer(l, func(w io.Writer) error {
		return sheet(w, [][2]string{
			{i18n.T(ctx, "cli.login"), string(l.Login)},
			{i18n.T(ctx, "cli.password_once"), l.Password},
			{i18n.T(ctx, "cli.server"), l.Host},
			{i18n.T(ctx, "cli.port"), strconv.Itoa(l.Port)},
			{"SFTP", port(l.SFTPPort)},
			{i18n.T(ctx, "cli.account"), string(l.Account)},
			{i18n.T(ctx, "cli.site"), l.Site.Unicode()},
			{i18n.T(ctx, "cli.path"), l.Path},
			{i18n.T(ctx, "cli.rights"), sayRights(ctx, l)},
			{i18n.T(ctx, "cli.tls"), sayTLS(ctx, l)},
			{i18n.T(ctx, "cli.speed"), saySpeed(ctx, l)},
			{i18n.T(ctx, "cli.sessions"), saySessions(l)},
			{i18n.T(ctx, "cli.state"), sayEnabled(ctx, l)},
		})
	})
}

func sayRights(ctx context.Context, l ftpView) string {
	switch l.Rights {
	case hosting.FTPReadOnly:
		return i18n.T(ctx, "cli.read_only")
	case hosting.FTPUploadOnly:
		return i18n.T(ctx, "cli.upload_only")
	case hosting.FTPReadWrite:
	}
	return i18n.T(ctx, "cli.read_write")
}

func sayTLS(ctx context.Context, l ftpView) string {
	if l.TLS {
		return i18n.T(ctx, "cli.tls_required")
	}
	return ""
}

func saySpeed(ctx context.Context, l ftpView) string {
	if l.SpeedKB == 0 {
		return ""
	}
	return i18n.T(ctx, "cli.kb_per_second", l.SpeedKB)
}

func saySessions(l ftpView) string {
	if l.Sessions == 0 {
		return ""
	}
	return strconv.Itoa(l.Sessions)
}

func sayEnabled(ctx context.Context, l ftpView) string {
	if l.Enabled {
		return i18n.T(ctx, "cli.enabled")
	}
	return i18n.T(ctx, "cli.disabled")
}
