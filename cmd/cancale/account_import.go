package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// importView is what became, or would become, of a line of a list.
type importView struct {
	Line     int                 `json:"line"`
	Name     hosting.AccountName `json:"name"`
	Label    string              `json:"label"`
	Plan     hosting.PlanName    `json:"plan"`
	Outcome  string              `json:"outcome"` // "created", "would create", "exists" or "refused"
	Problems []string            `json:"problems"`
}

// maxImportFile is more than a list of hosting.MaxImport lines takes.
const maxImportFile = 4 << 20

func importAccounts(ctx context.Context, v *verb, args []string) error {
	text, err := readImport(v.cmd.InOrStdin(), args[0])
	if err != nil {
		return err
	}
	rows, err := hosting.ParseImport(text)
	if err != nil {
		return err
	}
	dry, err := v.cmd.Flags().GetBool("dry-run")
	if err != nil {
		return err
	}
	outcomes, created, err := v.store.ImportAccounts(ctx, v.actor, rows, dry)
	if err != nil {
		return err
	}
	views, wrong := make([]importView, len(outcomes)), 0
	for i, o := range outcomes {
		view := importView{Line: o.Line, Name: o.Account.Name, Label: o.Account.Label, Plan: o.Account.Plan, Outcome: "would create", Problems: []string{}}
		switch {
		case o.Err != nil:
			wrong++
			view.Outcome = "refused"
			for _, m := range hosting.FieldErrors(o.Err) {
				view.Problems = append(view.Problems, i18n.Message(ctx, m.Key, m.Args))
			}
		case o.Exists:
			view.Outcome = "exists"
		case created > 0:
			view.Outcome = "created"
		}
		views[i] = view
	}
	err = v.answer(views, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "import.line"), i18n.T(ctx, "cli.name"), i18n.T(ctx, "cli.label"), i18n.T(ctx, "cli.plan"), i18n.T(ctx, "import.outcome")}}
		for _, o := range views {
			said := map[string]string{"created": "cli.import_created", "would create": "import.creates", "exists": "import.exists", "refused": "import.refused"}[o.Outcome]
			lines = append(lines, []string{
				strconv.Itoa(o.Line), string(o.Name), o.Label, string(o.Plan),
				strings.TrimSpace(i18n.T(ctx, said) + " " + strings.Join(o.Problems, " ")),
			})
		}
		return table(w, lines)
	})
	if err == nil && wrong > 0 {
		return answered{hosting.Refuse(hosting.Invalid, "", "import.wrong_text")}
	}
	return err
}

// readImport reads a list, from a file or from standard input.
func readImport(in io.Reader, name string) (string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", hosting.Refuse(hosting.NotFound, "", "cli.file_unreadable", name)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxImportFile))
	return string(text), err
}
