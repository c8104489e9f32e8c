package views

import (
	"context"
	"fmt"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// CheckStep is something that was tried. State is "ok", "warn", "failed" or
// "skipped".
type CheckStep struct {
	Name  string
	State string
	Said  hosting.Message // what was found, or what to do; may be empty
}

// FTPCheckParams tries a connection. Steps is empty before.
//
//	templ FTPCheckPage(page Page, p FTPCheckParams) // GET, POST /ftp/:id/check
type FTPCheckParams struct {
	Login FTPRow
	Steps []CheckStep
}

var checkStates = map[string]string{"ok": "done", "warn": "done", "failed": "failed", "skipped": "todo"}

// checkSteps are the steps as they are shown.
func checkSteps(ctx context.Context, steps []CheckStep) []ui.Step {
	list := make([]ui.Step, len(steps))
	for i, s := range steps {
		list[i] = ui.Step{State: checkStates[s.State], Title: i18n.T(ctx, "ftpcheck.step."+s.Name), Aside: i18n.T(ctx, "ftpcheck.state."+s.State)}
		if !s.Said.IsZero() {
			list[i].Hint = i18n.Message(ctx, s.Said.Key, s.Said.Args)
		}
	}
	return list
}

// checkSummary is what the steps come to.
func checkSummary(steps []CheckStep) (kind, key string) {
	kind, key = "ok", "ftpcheck.all_ok"
	for _, s := range steps {
		switch {
		case s.State == "failed":
			return "fail", "ftpcheck.some_failed"
		case s.State == "warn":
			kind, key = "warn", "ftpcheck.some_warn"
		case s.State == "skipped" && s.Name == "login":
			kind, key = "info", "ftpcheck.some_skipped"
		}
	}
	return kind, key
}

// lftpCommand opens a connection in a terminal.
func lftpCommand(p FTPParams) string {
	return fmt.Sprintf("lftp -e 'set ftp:prefer-epsv yes' -u %s -p %d %s", p.Login.Login, p.Server.Port, p.Server.Host)
}

// sftpCommand does by OpenSSH.
func sftpCommand(p FTPParams) string {
	return fmt.Sprintf("sftp -P %d %s@%s", p.SFTP.Port, p.Login.Login, p.SFTP.Host)
}
