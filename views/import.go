package views

import (
	"time"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
)

// ImportParams is a list of associations to be created, and what each line
// would do once it was checked.
//
//	templ AdminImportPage(page Page, p ImportParams) // GET, POST /admin/accounts/import
type ImportParams struct {
	List   string // as typed
	Errors Errors
	Rows   []ImportLine
	New    int // lines that create an association
	Wrong  int // lines that are refused
}

// ImportLine is one association of the list.
type ImportLine struct {
	Line                             int
	Label, Name, Plan, Person, Email string
	Expires                          *time.Time
	Exists                           bool // it is there already and stays as it is
	Problems                         []hosting.Message
}

var importBox = templ.Attributes{"rows": "14", "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}

// checkButton is the first button until there is something to import.
func checkButton(p ImportParams) string {
	if p.Wrong == 0 && p.New > 0 {
		return "btn"
	}
	return "btn btn--primary"
}
