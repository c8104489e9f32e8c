package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func siteCommand() *cobra.Command {
	create := &cobra.Command{Use: "create HOST", Short: "Serve one more site", Args: cobra.ExactArgs(1), RunE: run(createSite)}
	create.Flags().String("account", "", "account that the site belongs to")
	update := &cobra.Command{Use: "update HOST", Short: "Change a site; --alias replaces all its aliases", Args: cobra.ExactArgs(1), RunE: run(updateSite)}
	update.Flags().Bool("no-alias", false, "take all aliases away")
	for _, cmd := range []*cobra.Command{create, update} {
		cmd.Flags().StringArray("alias", nil, "one more host name of the site; may be repeated")
		cmd.Flags().String("php", "", "PHP version, such as "+string(hosting.DefaultPHPVersion))
		cmd.Flags().String("document-root", "", "folder of the home that is served, such as www")
	}
	list := &cobra.Command{Use: "list", Short: "List the sites", Args: cobra.NoArgs, RunE: run(listSites)}
	list.Flags().String("account", "", "only those of one account")
	list.Flags().String("state", "", "only those in a state, such as failed")
	list.Flags().String("search", "", "only those whose name holds a text")
	return noun("site", "What is served", append(siteSettingsCommands(),
		create, list,
		&cobra.Command{Use: "show HOST", Short: "Show a site", Args: cobra.ExactArgs(1), RunE: run(showSite)},
		update,
		&cobra.Command{Use: "suspend HOST", Short: "Answer that the site is suspended, and keep its files", Args: cobra.ExactArgs(1), RunE: run(suspendSite)},
		&cobra.Command{Use: "resume HOST", Short: "Serve a suspended site again", Args: cobra.ExactArgs(1), RunE: run(resumeSite)},
		addPurge(&cobra.Command{Use: "delete HOST", Short: "Remove a site and its files; `trash restore` brings it back", Args: cobra.ExactArgs(1), RunE: run(deleteSite)}),
		&cobra.Command{Use: "retry HOST", Short: "Try a failed site again now", Args: cobra.ExactArgs(1), RunE: run(retrySite)},
		siteLogsCommand(), siteStatsCommand(),
	)...)
}

// siteView is a site as scripts read it.
type siteView struct {
	Host         hosting.Hostname     `json:"host"`
	Unicode      string               `json:"host_unicode"`
	Account      hosting.AccountName  `json:"account"`
	Aliases      []hosting.Hostname   `json:"aliases"`
	URL          string               `json:"url"`
	DocumentRoot hosting.DocumentRoot `json:"document_root"`
	Path         string               `json:"path"` // of the document root on this machine
	Home         string               `json:"home"`
	UID          uint32               `json:"uid"`
	GID          uint32               `json:"gid"`
	PHP          hosting.PHPVersion   `json:"php"`
	Suspended    bool                 `json:"suspended"`
	Created      time.Time            `json:"created_at"`
	Sync         syncView             `json:"sync"`
}

func (v *verb) viewSite(ctx context.Context, s hosting.Site, account hosting.AccountName) siteView {
	home := v.layout.Home(string(s.HomeToken))
	return siteView{
		Host: s.Host, Unicode: s.Host.Unicode(), Account: account, Aliases: list(s.Aliases), URL: v.siteURL(s.Host),
		DocumentRoot: s.DocumentRoot, Path: filepath.Join(home, string(s.DocumentRoot)), Home: home,
		UID: s.UID, GID: s.UID, PHP: s.PHP, Suspended: s.Off(), Created: s.CreatedAt, Sync: viewSync(ctx, s.Sync),
	}
}

func createSite(ctx context.Context, v *verb, args []string) error {
	spec, err := v.siteSpec(args[0], hosting.SiteSpec{})
	if err != nil {
		return err
	}
	typed, _ := v.text("account")
	if typed == "" {
		return usage("cli.flag_missing", "--account")
	}
	account, err := v.account(ctx, "account", typed)
	if err != nil {
		return err
	}
	site, err := v.store.CreateSite(ctx, v.actor, account.ID, spec)
	if err != nil {
		return err
	}
	return v.followSite(ctx, site, account.Name)
}

// siteSpec is what the flags ask for, on top of what was before.
func (v *verb) siteSpec(typed string, before hosting.SiteSpec) (hosting.SiteSpec, error) {
	var errs hosting.Errors
	spec := before
	var err error
	if spec.Host == "" {
		spec.Host, err = hosting.ParseHostname(typed)
		errs.Add(err)
	}
	aliases, err := v.cmd.Flags().GetStringArray("alias")
	if err != nil {
		return spec, err
	}
	if v.cmd.Flags().Changed("alias") {
		spec.Aliases = nil
		for _, typed := range aliases {
			alias, err := hosting.ParseHostname(typed)
			errs.Add(inField("aliases", err))
			spec.Aliases = append(spec.Aliases, alias)
		}
	}
	if typed, given := v.text("php"); given || spec.PHP == "" {
		spec.PHP, err = hosting.ParsePHPVersion(typed)
		errs.Add(err)
	}
	if typed, given := v.text("document-root"); given || spec.DocumentRoot == "" {
		spec.DocumentRoot, err = hosting.ParseDocumentRoot(typed)
		errs.Add(err)
	}
	if errs.Err() != nil {
		return spec, errs.Err()
	}
	return spec, spec.Check()
}

func updateSite(ctx context.Context, v *verb, args []string) error {
	row, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	spec, err := v.siteSpec(args[0], hosting.SiteSpec{Host: row.Host, Aliases: row.Aliases, DocumentRoot: row.DocumentRoot, PHP: row.PHP})
	if err != nil {
		return err
	}
	if none, err := v.cmd.Flags().GetBool("no-alias"); err != nil {
		return err
	} else if none {
		spec.Aliases = nil
	}
	site, err := v.store.UpdateSite(ctx, v.actor, row.ID, spec)
	if err != nil {
		return err
	}
	return v.followSite(ctx, site, row.AccountName)
}

func suspendSite(ctx context.Context, v *verb, args []string) error {
	return v.turnSite(ctx, args[0], v.store.SuspendSite)
}

func resumeSite(ctx context.Context, v *verb, args []string) error {
	return v.turnSite(ctx, args[0], v.store.ResumeSite)
}

func retrySite(ctx context.Context, v *verb, args []string) error {
	return v.turnSite(ctx, args[0], v.store.RetrySite)
}

func deleteSite(ctx context.Context, v *verb, args []string) error {
	if v.purges() {
		return v.turnSite(ctx, args[0], v.store.PurgeSite)
	}
	return v.turnSite(ctx, args[0], v.store.RemoveSite)
}

// turnSite does one thing to a site and follows it.
func (v *verb) turnSite(ctx context.Context, typed string, turn func(context.Context, hosting.Actor, hosting.SiteID) (hosting.Site, error)) error {
	row, err := v.site(ctx, "host", typed)
	if err != nil {
		return err
	}
	site, err := turn(ctx, v.actor, row.ID)
	if err != nil {
		return err
	}
	return v.followSite(ctx, site, row.AccountName)
}

// followSite waits as --wait asks, clears away what is gone and answers.
func (v *verb) followSite(ctx context.Context, site hosting.Site, account hosting.AccountName) error {
	sync, problem := v.follow(ctx, hosting.Key{Resource: hosting.ResourceSite, ID: uint64(site.ID)}, site.Sync)
	site.Sync = sync
	if sync.State == hosting.Removed {
		if _, err := v.store.Sweep(ctx); err != nil {
			return err
		}
	}
	return v.answerSite(ctx, v.viewSite(ctx, site, account), problem)
}

func showSite(ctx context.Context, v *verb, args []string) error {
	row, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	return v.answerSite(ctx, v.viewSite(ctx, row.Site, row.AccountName), nil)
}

func listSites(ctx context.Context, v *verb, _ []string) error {
	var f store.SiteFilter
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		f.Account = account.ID
	}
	state, _ := v.text("state")
	if f.State = hosting.State(state); state != "" && stateTexts[f.State] == "" {
		return hosting.Refuse(hosting.Invalid, "state", "cli.state_unknown", state)
	}
	f.Search, _ = v.text("search")
	rows, err := everything(func(page int) ([]store.SiteRow, int, error) {
		f.Page, f.PerPage = page, perPage
		return v.store.Sites(ctx, v.scope(hosting.SitesRead), f)
	})
	if err != nil {
		return err
	}
	views := make([]siteView, len(rows))
	for i, r := range rows {
		views[i] = v.viewSite(ctx, r.Site, r.AccountName)
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "cli.host"), i18n.T(ctx, "cli.account"), i18n.T(ctx, "cli.state"), i18n.T(ctx, "cli.problem")}}
		for _, s := range views {
			lines = append(lines, []string{s.Unicode, string(s.Account), sayState(ctx, s.Sync.State), s.Sync.Problem})
		}
		return table(w, lines)
	})
}

// sitesOf are all sites of an account.
func (v *verb) sitesOf(ctx context.Context, id hosting.AccountID) ([]store.SiteRow, error) {
	return everything(func(page int) ([]store.SiteRow, int, error) {
		return v.store.Sites(ctx, v.scope(hosting.SitesRead), store.SiteFilter{Account: id, Page: page, PerPage: perPage})
	})
}

func (v *verb) answerSite(ctx context.Context, s siteView, problem error) error {
	return v.answerApplied(ctx, s, func(w io.Writer) error {
		aliases := make([]string, len(s.Aliases))
		for i, a := range s.Aliases {
			aliases[i] = a.Unicode()
		}
		ascii := ""
		if s.Unicode != s.Host.String() {
			ascii = s.Host.String()
		}
		return sheet(w, [][2]string{
			{i18n.T(ctx, "cli.host"), s.Unicode},
			{i18n.T(ctx, "cli.host_ascii"), ascii},
			{i18n.T(ctx, "cli.aliases"), strings.Join(aliases, ", ")},
			{i18n.T(ctx, "cli.account"), string(s.Account)},
			{i18n.T(ctx, "cli.state"), sayState(ctx, s.Sync.State)},
			{i18n.T(ctx, "cli.problem"), s.Sync.Problem},
			{i18n.T(ctx, "cli.address"), s.URL},
			{i18n.T(ctx, "cli.document_root"), string(s.DocumentRoot)},
			{i18n.T(ctx, "cli.path"), s.Path},
			{"PHP", string(s.PHP)},
		})
	}, problem)
}
