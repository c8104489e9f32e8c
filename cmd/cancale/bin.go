package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

func binCommand() *cobra.Command {
	list := &cobra.Command{Use: "list SITE", Short: "List what was deleted from a site and can be restored", Args: cobra.ExactArgs(1), RunE: run(listBin)}
	list.Flags().String("search", "", "only paths that hold this text")
	restore := &cobra.Command{Use: "restore SITE ID...", Short: "Bring things back to where they were", Args: cobra.MinimumNArgs(2), RunE: run(restoreFromBin)}
	restore.Flags().String("to", "", "bring the one thing back under this path instead, such as www/old.php")
	purge := &cobra.Command{Use: "purge SITE [ID...]", Short: "Delete things for good, or with --all all that is in the bin", Args: cobra.MinimumNArgs(1), RunE: run(purgeBin)}
	purge.Flags().Bool("all", false, "empty the bin")
	return noun("bin", "What was deleted from the sites, while it can be restored", list, restore, purge)
}

// binView is something in a bin as scripts read it.
type binView struct {
	ID      string    `json:"id"`
	Path    string    `json:"path"`
	Dir     bool      `json:"dir"`
	Size    int64     `json:"size"`
	Deleted time.Time `json:"deleted_at"`
}

// bin asks the daemon, which alone opens the bins.
func (v *verb) bin(ctx context.Context, site hosting.SiteID, method, act string, in, out any) error {
	return ftplink.NewClient(v.layout.FTPSocket()).Call(ctx, v.actor, method, fmt.Sprintf("/sites/%d/bin%s", site, act), nil, in, out)
}

func listBin(ctx context.Context, v *verb, args []string) error {
	site, err := v.site(ctx, "", args[0])
	if err != nil {
		return err
	}
	search, _ := v.text("search")
	var found hosting.Bin
	err = ftplink.NewClient(v.layout.FTPSocket()).Call(ctx, v.actor, http.MethodGet, fmt.Sprintf("/sites/%d/bin", site.ID), ftplink.Query("q", search), nil, &found)
	if err != nil {
		return err
	}
	views := make([]binView, len(found.Items))
	for i, item := range found.Items {
		views[i] = binView{ID: item.ID(), Path: item.Path, Dir: item.Dir, Size: item.Size, Deleted: item.Deleted}
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "cli.bin_id"), i18n.T(ctx, "bin.size"), i18n.T(ctx, "bin.deleted")}}
		for _, b := range views {
			size := i18n.T(ctx, "bin.folder")
			if !b.Dir {
				size = i18n.Bytes(ctx, b.Size)
			}
			lines = append(lines, []string{b.ID, size, b.Deleted.Local().Format(time.DateTime)})
		}
		if err := table(w, lines); err != nil {
			return err
		}
		if found.More {
			return said(ctx, "bin.more")(w)
		}
		return nil
	})
}

// inBin reads the IDs that a person typed.
func inBin(ids []string) ([]hosting.BinItem, error) {
	items := make([]hosting.BinItem, len(ids))
	for i, id := range ids {
		var err error
		if items[i], err = hosting.ParseBinID(id); err != nil {
			return nil, hosting.Refuse(hosting.NotFound, "", "cli.bin_id_invalid", id)
		}
	}
	return items, nil
}

// restoreFromBin brings back one thing after the other, and ends at the first
// that cannot come.
func restoreFromBin(ctx context.Context, v *verb, args []string) error {
	to, renamed := v.text("to")
	if renamed && len(args) != 2 {
		return usage("cli.usage_line", v.cmd.UseLine())
	}
	items, err := inBin(args[1:])
	if err != nil {
		return err
	}
	site, err := v.site(ctx, "", args[0])
	if err != nil {
		return err
	}
	paths := make([]string, len(items))
	for i, item := range items {
		if paths[i] = item.Path; renamed {
			paths[i] = to
		}
		if err := v.bin(ctx, site.ID, http.MethodPost, "/restore", hosting.BinRestore{Slot: item.Slot, Path: item.Path, To: paths[i]}, nil); err != nil {
			return err
		}
	}
	return v.answer(struct {
		Restored []string `json:"restored"`
	}{paths}, said(ctx, "bin.restored_several", strconv.Itoa(len(paths))))
}

func purgeBin(ctx context.Context, v *verb, args []string) error {
	all, err := v.cmd.Flags().GetBool("all")
	if err != nil {
		return err
	}
	if all == (len(args) > 1) {
		return usage("cli.bin_choose")
	}
	items, err := inBin(args[1:])
	if err != nil {
		return err
	}
	site, err := v.site(ctx, "", args[0])
	if err != nil {
		return err
	}
	if err := v.bin(ctx, site.ID, http.MethodPost, "/purge", hosting.BinPurge{Items: items, All: all}, nil); err != nil {
		return err
	}
	text := said(ctx, "bin.purged_several", strconv.Itoa(len(items)))
	if all {
		text = said(ctx, "bin.emptied")
	}
	paths := make([]string, len(items))
	for i, item := range items {
		paths[i] = item.Path
	}
	return v.answer(struct {
		Purged []string `json:"purged"`
		All    bool     `json:"all"`
	}{paths, all}, text)
}
