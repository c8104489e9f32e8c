package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/databases"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

// databaseWorkCommands are the verbs about what databases hold. The agent does
// it, as for the panel.
func databaseWorkCommands() []*cobra.Command {
	export := &cobra.Command{Use: "export NAME", Short: "Write a database as compressed SQL into a file", Args: cobra.ExactArgs(1), RunE: run(exportDatabase)}
	export.Flags().String("output", "", "the file, or - for standard output; NAME-DATE.sql.gz in this directory when not given")
	load := &cobra.Command{
		Use:   "import NAME FILE",
		Short: "Fill a database from a .sql or .sql.gz file, or from standard input when FILE is -; it goes on in the background, --wait waits for its end",
		Args:  cobra.ExactArgs(2), RunE: run(importDatabase),
	}
	load.Flags().Bool("empty", false, "remove all its present tables first")
	check := &cobra.Command{Use: "check NAME", Short: "Check the tables of a database and repair what can be; --wait waits for the report", Args: cobra.ExactArgs(1), RunE: run(checkDatabase)}
	check.Flags().Bool("optimize", false, "build the tables anew instead, which gives back room")
	return []*cobra.Command{export, load, check}
}

// databaseWorkView is a work on a database as scripts read it.
type databaseWorkView struct {
	ID        hosting.DatabaseWorkID    `json:"id"`
	Database  hosting.DatabaseName      `json:"database"`
	Kind      hosting.DatabaseWorkKind  `json:"kind"`
	State     hosting.DatabaseWorkState `json:"state"`
	Percent   int                       `json:"percent"`
	File      string                    `json:"file,omitempty"`
	Bytes     int64                     `json:"bytes,omitempty"` // of the file of an export
	Result    string                    `json:"result,omitempty"`
	ResultKey string                    `json:"result_key,omitempty"`
	Tables    []hosting.TableReport     `json:"tables,omitempty"`
}

func viewDatabaseWork(ctx context.Context, name hosting.DatabaseName, w hosting.DatabaseWork) databaseWorkView {
	view := databaseWorkView{
		ID: w.ID, Database: name, Kind: w.Kind, State: w.State, Percent: w.Percent(), File: w.File,
		Result: say(ctx, w.Result), ResultKey: w.Result.Key,
	}
	if w.Report != "" {
		_ = json.Unmarshal([]byte(w.Report), &view.Tables) // ours; without it the result still says how it ended
	}
	return view
}

func (v *verb) databaseContent() databases.Client {
	return databases.Client{Link: ftplink.NewClient(v.layout.DatabasesSocket()), Actor: v.actor}
}

// standardStream is the name of a file that is standard input or output.
const standardStream = "-"

func exportDatabase(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	file, given := v.text("output")
	name := string(row.Name) + "-" + time.Now().Format("2006-01-02-1504") + ".sql.gz"
	switch {
	case given && file == "":
		return usage("cli.flag_value", "--output")
	case !given:
		file = name
	case file == standardStream && v.json:
		return usage("cli.database_output_json")
	}
	out, err := newOutput(file, v.out)
	if err != nil {
		return hosting.Refuse(hosting.Invalid, "output", "cli.file_unwritable", file)
	}
	defer out.drop()
	work, err := v.store.BeginDatabaseWork(ctx, v.actor, row.ID, store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkExport, File: name})
	if err != nil {
		return err
	}
	res, err := v.databaseContent().Export(ctx, work.ID)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(out, res.Body)
	if err == nil {
		err = out.keep()
	}
	if err != nil {
		e := hosting.Refuse(hosting.Unavailable, "", "dbwork.export_left")
		e.Err = err
		return e
	}
	if file == standardStream {
		return nil
	}
	if work, err = v.store.DatabaseWork(ctx, v.scope(hosting.DatabasesContent), work.ID); err != nil {
		return err
	}
	view := viewDatabaseWork(ctx, row.Name, work)
	view.File, view.Bytes = file, n
	return v.answer(view, said(ctx, "cli.database_exported", string(row.Name), file))
}

// output is a file that is there when it is whole, and not before; or a stream.
type output struct {
	io.Writer
	file *os.File // nil is a stream
	path string
}

func newOutput(path string, stream io.Writer) (*output, error) {
	if path == standardStream {
		return &output{Writer: stream}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600: it is all that the database holds
	if err != nil {
		return nil, err
	}
	return &output{Writer: f, file: f, path: path}, nil
}

func (o *output) keep() error {
	if o.file == nil {
		return nil
	}
	err := errors.Join(o.file.Sync(), os.Rename(o.file.Name(), o.path), o.file.Close())
	if err == nil {
		o.file = nil
	}
	return err
}

// drop removes what was not kept.
func (o *output) drop() {
	if o.file != nil {
		_ = o.file.Close()
		_ = os.Remove(o.file.Name())
	}
}

func importDatabase(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	in, size := v.cmd.InOrStdin(), int64(0)
	if args[1] != standardStream {
		f, err := os.Open(args[1])
		if err != nil {
			return hosting.Refuse(hosting.Invalid, "file", "cli.file_unreadable", args[1])
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || info.IsDir() {
			return hosting.Refuse(hosting.Invalid, "file", "cli.file_unreadable", args[1])
		}
		in, size = f, info.Size()
	}
	empty, err := v.cmd.Flags().GetBool("empty")
	if err != nil {
		return err
	}
	work, err := v.store.BeginDatabaseWork(ctx, v.actor, row.ID, store.DatabaseWorkSpec{
		Kind: hosting.DatabaseWorkImport, EmptyFirst: empty, File: hosting.ParseDumpName(filepath.Base(args[1])), Size: size,
	})
	if err != nil {
		return err
	}
	if err := v.databaseContent().Send(ctx, work.ID, in); err != nil {
		return err
	}
	return v.followDatabaseWork(ctx, row.Name, work.ID)
}

func checkDatabase(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	kind := hosting.DatabaseWorkCheck
	if optimize, err := v.cmd.Flags().GetBool("optimize"); err != nil {
		return err
	} else if optimize {
		kind = hosting.DatabaseWorkOptimize
	}
	work, err := v.store.BeginDatabaseWork(ctx, v.actor, row.ID, store.DatabaseWorkSpec{Kind: kind})
	if err != nil {
		return err
	}
	if err := v.databaseContent().Run(ctx, work.ID); err != nil {
		return err
	}
	return v.followDatabaseWork(ctx, row.Name, work.ID)
}

// workPause is how often --wait looks at a work.
const workPause = 50 * time.Millisecond

// followDatabaseWork waits for the end of a work as --wait asks, and answers.
func (v *verb) followDatabaseWork(ctx context.Context, name hosting.DatabaseName, id hosting.DatabaseWorkID) error {
	limit := time.NewTimer(v.wait)
	defer limit.Stop()
	var problem error
	var work hosting.DatabaseWork
	for over := false; !over; {
		var err error
		if work, err = v.store.DatabaseWork(ctx, v.scope(hosting.DatabasesContent), id); err != nil {
			return err
		}
		if over = work.State.Over() || v.wait == 0; over {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			problem, over = notAppliedError{hosting.Msg("cli.not_in_time", v.wait.String())}, true
		case <-time.After(workPause):
		}
	}
	view := viewDatabaseWork(ctx, name, work)
	bad := slices.ContainsFunc(view.Tables, func(t hosting.TableReport) bool { return !t.OK })
	if work.State == hosting.DatabaseWorkFailed || bad {
		problem = notAppliedError{work.Result}
	}
	return v.answerApplied(ctx, view, func(w io.Writer) error {
		rows := [][2]string{
			{i18n.T(ctx, "cli.name"), string(name)},
			{i18n.T(ctx, "cli.state"), i18n.T(ctx, "dbwork.state_"+string(work.State))},
			{i18n.T(ctx, "cli.database_result"), view.Result},
		}
		for _, t := range view.Tables {
			text := i18n.T(ctx, "dbwork.table_ok")
			if !t.OK {
				text = fmt.Sprintf("%s: %s", i18n.T(ctx, "dbwork.table_bad"), t.Text)
			}
			rows = append(rows, [2]string{t.Table, text})
		}
		return sheet(w, rows)
	}, problem)
}
