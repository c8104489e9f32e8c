package hosting

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ImportRow is one line of a list of associations to be created.
type ImportRow struct {
	Line    int // in the text, from 1
	Account AccountSpec
	Person  PersonSpec // who begins it; without an address there is nobody
	Role    Role
	Err     error // what is wrong with the line; nil when it can be read
}

// MaxImport is how many associations one list may hold.
const MaxImport = 1000

// importColumns are the words that may head a column.
var importColumns = map[string][]string{
	"name":        {"name", "nom court", "nom_court", "identifiant"},
	"label":       {"label", "nom", "association"},
	"plan":        {"plan", "formule"},
	"expires":     {"expires", "until", "adhésion", "adhesion", "échéance", "echeance"},
	"note":        {"note", "notes"},
	"person_name": {"person", "person_name", "personne", "responsable", "contact"},
	"email":       {"email", "e-mail", "courriel", "adresse", "mail"},
	"role":        {"role", "rôle"},
}

// ParseImport reads a table as programs of spreadsheets save it: one line of
// headings, then one association a line, with semicolons, commas or tabulators
// between the cells (RFC 4180). A line that makes no sense is told in its row;
// only a text that is no such table is an error.
func ParseImport(text string) ([]ImportRow, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	head, _, _ := strings.Cut(text, "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = separator(head)
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	var columns map[string]int
	rows := []ImportRow{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, Refuse(Invalid, "list", "import.broken", strconv.Itoa(broken.Line))
		}
		if err != nil {
			return nil, Refuse(Invalid, "list", "import.broken", "1")
		}
		if columns == nil {
			if columns, err = importHead(cells); err != nil {
				return nil, err
			}
			continue
		}
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue
		}
		if len(rows) == MaxImport {
			return nil, Refuse(Invalid, "list", "import.too_long", strconv.Itoa(MaxImport))
		}
		line, _ := r.FieldPos(0)
		rows = append(rows, importRow(line, columns, cells))
	}
	if len(rows) == 0 {
		return nil, Refuse(Invalid, "list", "import.empty")
	}
	return rows, nil
}

// separator is what stands between the headings.
func separator(head string) rune {
	best, most := ';', 0
	for _, c := range ";,\t" {
		if n := strings.Count(head, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// importHead says in which column each thing stands.
func importHead(cells []string) (map[string]int, error) {
	columns := map[string]int{}
	for i, cell := range cells {
		word := strings.ToLower(strings.TrimSpace(cell))
		for field, words := range importColumns {
			if !slices.Contains(words, word) {
				continue
			}
			if _, twice := columns[field]; twice {
				return nil, Refuse(Invalid, "list", "import.column_twice", strings.TrimSpace(cell))
			}
			columns[field] = i
		}
	}
	for _, needed := range []string{"name", "label"} {
		if _, found := columns[needed]; !found {
			return nil, Refuse(Invalid, "list", "import.no_"+needed)
		}
	}
	return columns, nil
}

func importRow(line int, columns map[string]int, cells []string) ImportRow {
	cell := func(field string) string {
		if i, found := columns[field]; found && i < len(cells) {
			return strings.TrimSpace(cells[i])
		}
		return ""
	}
	row := ImportRow{Line: line, Role: Owner}
	var errs Errors
	var err error
	row.Account.Name, err = ParseAccountName(cell("name"))
	errs.Add(err)
	if row.Account.Label, err = ParseLabel("label", cell("label")); err == nil && row.Account.Label == "" {
		err = Refuse(Invalid, "label", "label.missing")
	}
	errs.Add(err)
	if typed := cell("plan"); typed != "" {
		row.Account.Plan, err = ParsePlanName(typed)
		errs.Add(err)
	}
	row.Account.Expires, err = parseImportDay(cell("expires"))
	errs.Add(err)
	row.Account.Note, err = ParseNote("note", cell("note"))
	errs.Add(err)
	if typed := cell("email"); typed != "" {
		row.Person.Email, err = ParseEmail(typed)
		errs.Add(err)
	}
	row.Person.Name, err = ParseLabel("person_name", cell("person_name"))
	errs.Add(err)
	switch strings.ToLower(cell("role")) {
	case "", string(Owner), "responsable":
	case string(Webmaster), "webmestre":
		row.Role = Webmaster
	default:
		errs.Add(Refuse(Invalid, "role", "role.unknown"))
	}
	row.Err = errs.Err()
	return row
}

// parseImportDay reads a last day as it is written in French or by ISO 8601.
func parseImportDay(typed string) (*time.Time, error) {
	if typed == "" {
		return nil, nil //nolint:nilnil // no day is an answer
	}
	for _, layout := range []string{time.DateOnly, "02/01/2006", "2/1/2006"} {
		day, err := time.ParseInLocation(layout, typed, time.Local)
		if err == nil && day.Year() >= 2000 && day.Year() <= 9000 {
			end := day.AddDate(0, 0, 1).Add(-time.Second)
			return &end, nil
		}
	}
	return nil, Refuse(Invalid, "expires", "date.invalid")
}
