package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say how the installation is; --wait 60s until it is ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := newVerb(cmd)
			if err != nil {
				return err
			}
			return showStatus(speak(cmd.Context()), v)
		},
	}
}

// statusView is the installation as scripts read it.
type statusView struct {
	config.Status
	Sites siteCounts `json:"sites"`
}

type siteCounts struct {
	Live      int `json:"live"`
	Pending   int `json:"pending"` // asked for, being applied or being removed
	Failed    int `json:"failed"`
	Suspended int `json:"suspended"`
}

func viewCounts(c store.Counts) siteCounts {
	return siteCounts{
		Live:      c.Sites[hosting.Live],
		Pending:   c.Sites[hosting.Pending] + c.Sites[hosting.Applying] + c.Sites[hosting.Removing],
		Failed:    c.Sites[hosting.Failed],
		Suspended: c.Sites[hosting.Suspended],
	}
}

// statusEvery is the pause between two looks while waiting for readiness.
const statusEvery = 50 * time.Millisecond

func showStatus(ctx context.Context, v *verb) error {
	end := time.Now().Add(v.wait)
	for {
		view, err := v.readStatus(ctx)
		if err != nil {
			return err
		}
		if view.Ready || time.Now().After(end) {
			return v.answerStatus(ctx, view)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(statusEvery):
		}
	}
}

// readStatus is what `up` says of itself, held against whether it lives.
func (v *verb) readStatus(ctx context.Context) (statusView, error) {
	status, err := config.ReadStatus(v.layout)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return statusView{}, err
	}
	view := statusView{Status: status}
	view.Data, view.MySQLSocket = v.layout.Root, v.layout.MariaDBSocket()
	view.Services, view.SFTPHostKeys = list(view.Services), list(view.SFTPHostKeys)
	if !alive(view.Status) {
		view.Ready = false
		view.PID = 0
		for i := range view.Services {
			view.Services[i].State, view.Services[i].PID = "stopped", 0
		}
		return view, nil
	}
	if !view.Ready {
		return view, nil
	}
	st, err := openStore(ctx, v.layout)
	if err != nil && os.Geteuid() != 0 {
		return view, err // who may not ask cannot know
	}
	if err != nil {
		view.Ready = false // a database that does not answer is a state to tell
		return view, nil
	}
	defer st.Close()
	counts, err := st.Counts(ctx)
	view.Sites = viewCounts(counts)
	return view, err
}

// alive reports whether the process that wrote the status still runs. It does
// not try the lock: an `up` that starts meanwhile would find it taken.
func alive(s config.Status) bool {
	if s.PID == 0 {
		return false
	}
	line, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID) + "/cmdline")
	return err == nil && slices.Contains(strings.Split(string(line), "\x00"), "up")
}

func (v *verb) answerStatus(ctx context.Context, s statusView) error {
	var problem error
	if !s.Ready {
		problem = hosting.Refuse(hosting.Unavailable, "", "cli.not_ready", s.Data)
	}
	return v.answerApplied(ctx, s, func(w io.Writer) error {
		ready := i18n.T(ctx, "cli.no")
		if s.Ready {
			ready = i18n.T(ctx, "cli.yes")
		}
		rows := [][2]string{
			{i18n.T(ctx, "cli.ready"), ready},
			{i18n.T(ctx, "cli.panel"), s.PanelURL},
			{"HTTP", port(s.HTTPPort)},
			{"HTTPS", port(s.HTTPSPort)},
			{"FTP", port(s.FTPPort)},
			{"FTPS", port(s.FTPSPort)},
			{"SFTP", port(s.SFTPPort)},
			{"MariaDB", s.MySQLSocket},
			{i18n.T(ctx, "cli.data"), s.Data},
			{i18n.T(ctx, "cli.sites"), i18n.Message(ctx, "cli.site_counts", []string{
				strconv.Itoa(s.Sites.Live), strconv.Itoa(s.Sites.Pending), strconv.Itoa(s.Sites.Failed), strconv.Itoa(s.Sites.Suspended),
			})},
		}
		for _, key := range s.SFTPHostKeys {
			rows = append(rows, [2]string{"SFTP " + key.Type, key.Fingerprint})
		}
		for _, service := range s.Services {
			state := service.State
			if service.PID != 0 {
				state += " (pid " + strconv.Itoa(service.PID) + ")"
			}
			rows = append(rows, [2]string{service.Name, state})
		}
		return sheet(w, rows)
	}, problem)
}

// port is a port for people; one that is not known is left out.
func port(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
