package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/files"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/sitelog"
	"cancale/internal/traffic"
)

func siteLogsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "logs HOST", Short: "Print the last lines of a log of a site", Args: cobra.ExactArgs(1), RunE: run(printSiteLog)}
	cmd.Flags().String("kind", "access", "access, error or php")
	cmd.Flags().Int("lines", 50, "at most so many")
	cmd.Flags().String("search", "", "only lines that hold a text")
	cmd.Flags().Bool("follow", false, "print what is added, until Ctrl-C")
	return cmd
}

func siteStatsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "stats HOST", Short: "Show what the visitors of a site did", Args: cobra.ExactArgs(1), RunE: run(showSiteStats)}
	cmd.Flags().Int("days", 30, "so many days, the last of which is today")
	return cmd
}

// logView is a log as scripts read it.
type logView struct {
	Host  hosting.Hostname `json:"host"`
	Kind  string           `json:"kind"`
	Lines []string         `json:"lines"` // the oldest first
}

const (
	mostLines   = 100_000
	followEvery = time.Second
)

func printSiteLog(ctx context.Context, v *verb, args []string) error {
	row, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	kind, _ := v.text("kind")
	if !slices.Contains([]string{"access", "error", "php"}, kind) {
		return usage("cli.log_kind")
	}
	most, err := v.cmd.Flags().GetInt("lines")
	if err != nil {
		return err
	}
	if most < 0 || most > mostLines {
		return usage("settings.number_invalid", "0", strconv.Itoa(mostLines))
	}
	follow, err := v.cmd.Flags().GetBool("follow")
	if err != nil {
		return err
	}
	search, _ := v.text("search")
	log := siteLog{v: v, site: row.Site, kind: kind, search: []byte(search)}
	lines, err := log.last(ctx, most)
	if err != nil {
		return err
	}
	if !follow {
		return v.answer(logView{row.Host, kind, list(lines)}, func(w io.Writer) error { return writeLines(w, lines) })
	}
	if wantsJSON(v.cmd) {
		return usage("cli.follow_json")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return log.follow(ctx, v.cmd.OutOrStdout(), lines)
}

func writeLines(w io.Writer, lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// siteLog is one of a site's logs. That of PHP is the site's own file, which the
// FTP daemon reads under the site's uid.
type siteLog struct {
	v      *verb
	site   hosting.Site
	kind   string
	search []byte
}

// last are the last lines, the oldest first.
func (l siteLog) last(ctx context.Context, most int) ([]string, error) {
	var lines []string
	match := func(line []byte) bool { return bytes.Contains(line, l.search) }
	if l.kind == "php" {
		text, err := l.php(ctx)
		if err != nil {
			return nil, err
		}
		_, err = sitelog.Backwards(bytes.NewReader(text), int64(len(text)), time.Now().Add(time.Minute), func(line []byte) bool {
			if len(lines) < most && match(line) {
				lines = append(lines, shownLine(line))
			}
			return len(lines) < most
		})
		slices.Reverse(lines)
		return lines, err
	}
	q := sitelog.Query{Most: most, Match: match}
	for len(lines) < most {
		q.Most = most - len(lines)
		found, err := sitelog.Read(l.v.layout.SiteLogs(uint64(l.site.ID)), sitelog.Kind(l.kind), q)
		if err != nil {
			return nil, err
		}
		for _, line := range found.Lines {
			lines = append(lines, shownLine(line))
		}
		if q.Before = found.Next; found.Next == (sitelog.Place{}) {
			break
		}
	}
	slices.Reverse(lines)
	return lines, nil
}

// longestShown is how much of a line is printed.
const longestShown = 8 << 10

func shownLine(line []byte) string { return hosting.Visible(string(line), longestShown) }

// phpEnd is how much of the end of the log of PHP is read.
const phpEnd = 4 << 20

func (l siteLog) php(ctx context.Context) ([]byte, error) {
	const path hosting.FilePath = "tmp/php_errors.log"
	remote := files.Client{Link: ftplink.NewClient(l.v.layout.FTPSocket()), Actor: l.v.actor, Site: l.site.ID}
	res, err := remote.Content(ctx, path, http.Header{"Range": {fmt.Sprintf("bytes=-%d", phpEnd)}}, true)
	if hosting.KindOf(err) == hosting.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil // it is empty
	}
	return io.ReadAll(res.Body)
}

// follow prints the lines, and what comes after them.
func (l siteLog) follow(ctx context.Context, w io.Writer, lines []string) error {
	const most = 1000 // that come at once
	if err := writeLines(w, lines); err != nil {
		return err
	}
	seen, err := l.last(ctx, most)
	if err != nil {
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := l.last(ctx, most)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writeLines(w, added(seen, now)); err != nil {
			return err
		}
		seen = now
	}
}

// added are the lines of now behind those that were seen: the end of what was
// seen stands somewhere in now.
func added(seen, now []string) []string {
	for n := min(len(seen), len(now)); n > 0; n-- {
		if slices.Equal(seen[len(seen)-n:], now[:n]) {
			return now[n:]
		}
	}
	return now
}

// statsView is the traffic of a site as scripts read it.
type statsView struct {
	Host      hosting.Hostname        `json:"host"`
	From      string                  `json:"from"`
	To        string                  `json:"to"`
	Total     trafficView             `json:"total"`
	Days      []trafficView           `json:"days"` // those on which somebody came
	Status    map[int]int64           `json:"status"`
	Pages     map[string]int64        `json:"top_pages"`
	Missing   map[string]int64        `json:"missing"`
	Referrers map[string]int64        `json:"referrers"`
	Slow      map[string]traffic.Slow `json:"slow"`
}

type trafficView struct {
	Day      string `json:"day,omitempty"`
	Hits     int64  `json:"hits"`
	Pages    int64  `json:"pages"`
	Visitors int64  `json:"visitors"`
	Robots   int64  `json:"robots"`
	Bytes    int64  `json:"bytes"`
	Good     int64  `json:"good"`
	Moved    int64  `json:"moved"`
	Refused  int64  `json:"refused"`
	Failed   int64  `json:"failed"`
}

const longestStats = 3660 // days

func showSiteStats(ctx context.Context, v *verb, args []string) error {
	row, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	days, err := v.cmd.Flags().GetInt("days")
	if err != nil {
		return err
	}
	if days < 1 || days > longestStats {
		return usage("settings.number_invalid", "1", strconv.Itoa(longestStats))
	}
	now := time.Now()
	view := statsView{Host: row.Host, From: now.AddDate(0, 0, 1-days).Format(time.DateOnly), To: now.Format(time.DateOnly)}
	scope := v.scope(hosting.SitesRead)
	rows, err := v.store.Traffic(ctx, scope, row.ID, view.From, view.To)
	if err != nil {
		return err
	}
	names, err := v.store.TrafficNames(ctx, scope, row.ID, view.From, view.To)
	if err != nil {
		return err
	}
	var total hosting.TrafficDay
	for _, d := range rows {
		total.Add(d)
		view.Days = append(view.Days, trafficView(d))
	}
	view.Total, view.Days = trafficView(total), list(view.Days)
	view.Status, view.Pages, view.Missing, view.Referrers, view.Slow = names.Status, names.Top, names.Missing, names.Referrers, names.Slow
	return v.answer(view, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "stats.day"), i18n.T(ctx, "stats.visitors"), i18n.T(ctx, "stats.pages"), i18n.T(ctx, "stats.hits"), i18n.T(ctx, "stats.bytes"), i18n.T(ctx, "stats.failed")}}
		for _, d := range append(view.Days, view.Total) {
			lines = append(lines, []string{d.Day, strconv.FormatInt(d.Visitors, 10), strconv.FormatInt(d.Pages, 10), strconv.FormatInt(d.Hits, 10), i18n.Bytes(ctx, d.Bytes), strconv.FormatInt(d.Failed, 10)})
		}
		return table(w, lines)
	})
}
