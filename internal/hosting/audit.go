package hosting

// AuditThings are what entries of the audit log are about, as people filter
// them.
var AuditThings = []string{"site", "files", "database", "ftp", "people", "account", "request"}

// auditNouns are the first words of the acts about each thing.
var auditNouns = map[string][]string{
	"site":     {"site", "task"},
	"files":    {"files", "bin"},
	"database": {"database"},
	"ftp":      {"ftp"},
	"people":   {"person", "membership", "invitation"},
	"account":  {"account", "account_note", "plan", "notice", "sweep"},
	"request":  {"request"},
}

// AuditNouns are the first words of the acts about a thing; nothing has none.
func AuditNouns(thing string) []string {
	if nouns, known := auditNouns[thing]; known {
		return nouns
	}
	return []string{""}
}
