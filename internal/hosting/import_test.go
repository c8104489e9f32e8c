package hosting_test

import (
	"strings"
	"testing"
	"unicode"

	"cancale/internal/hosting"
)

func TestParseImport(t *testing.T) {
	const text = "\ufeffNom;Nom court;Formule;Adhésion;Courriel;Responsable;Rôle;Note\r\n" +
		"Voile Libre;voile;asso;30/06/2027;Anne@Voile.example;Anne Le Gall;;\"vient de\nRennes\"\r\n" +
		";;;;;;;\r\n" +
		"Chorale du Port;CHORALE !;;2027-02-31;pas une adresse;;chef;\r\n"
	rows, err := hosting.ParseImport(text)
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	first := rows[0]
	if first.Err != nil || first.Line != 2 || first.Account.Name != "voile" || first.Account.Label != "Voile Libre" || first.Account.Plan != "asso" ||
		first.Person.Email != "anne@voile.example" || first.Person.Name != "Anne Le Gall" || first.Role != hosting.Owner ||
		first.Account.Note != "vient de\nRennes" || first.Account.Expires == nil || first.Account.Expires.Format("2006-01-02 15:04") != "2027-06-30 23:59" {
		t.Errorf("%+v", first)
	}
	fields := hosting.FieldErrors(rows[1].Err)
	for _, field := range []string{"name", "expires", "email", "role"} {
		if _, refused := fields[field]; !refused {
			t.Errorf("line 5: %s is not refused: %v", field, rows[1].Err)
		}
	}
	if rows[1].Line != 5 {
		t.Errorf("line %d", rows[1].Line)
	}
	for _, good := range []string{"name,label\nvoile,Voile", "label\tname\nVoile\tvoile"} {
		if rows, err := hosting.ParseImport(good); err != nil || len(rows) != 1 || rows[0].Err != nil || rows[0].Account.Name != "voile" {
			t.Errorf("%q: %+v %v", good, rows, err)
		}
	}
	for text, key := range map[string]string{
		"":                      "import.empty",
		"name;label\n":          "import.empty",
		"nom;formule\nx;y":      "import.no_name",
		"name;label;nom\na;b;c": "import.column_twice",
		"name;label\n\"a;b":     "import.broken",
		"name;label\n" + strings.Repeat("a;b\n", hosting.MaxImport+1): "import.too_long",
	} {
		if _, err := hosting.ParseImport(text); err == nil || hosting.FieldErrors(err)["list"].Key != key {
			t.Errorf("%.40q: %v, want %s", text, err, key)
		}
	}
}

func FuzzParseImport(f *testing.F) {
	f.Add("name;label;email\nvoile;Voile Libre;a@b.example\n")
	f.Add("\ufeffNom,Nom court\n\"a\n\",\"b\"\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := hosting.ParseImport(text)
		if err != nil {
			return
		}
		for _, r := range rows {
			if r.Err == nil && (r.Account.Name == "" || r.Account.Label == "" || strings.ContainsFunc(string(r.Account.Name)+r.Account.Label+r.Person.Name+string(r.Person.Email), unicode.IsControl)) {
				t.Errorf("%q: accepted %+v", text, r)
			}
		}
	})
}
