package i18n

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestBothCataloguesHaveTheSameKeys(t *testing.T) {
	for _, pair := range [][2]string{{"fr", "en"}, {"en", "fr"}} {
		for key := range catalogues()[pair[0]] {
			if _, ok := catalogues()[pair[1]][key]; !ok {
				t.Errorf("%s has %q, %s has not", pair[0], key, pair[1])
			}
		}
	}
}

func TestPluralsComeInPairs(t *testing.T) {
	for lang, texts := range catalogues() {
		for key := range texts {
			base, one := strings.CutSuffix(key, ".one")
			other := base + ".other"
			if !one {
				if base, one = strings.CutSuffix(key, ".other"); !one {
					continue
				}
				other = base + ".one"
			}
			if _, ok := texts[other]; !ok {
				t.Errorf("%s: %q without %q", lang, key, other)
			}
			if _, ok := texts[base]; ok {
				t.Errorf("%s: %q both with and without a plural", lang, base)
			}
		}
	}
}

var place = regexp.MustCompile(`\{[^}]*\}?`)

func TestBothLanguagesUseTheSameArguments(t *testing.T) {
	for key, french := range catalogues()["fr"] {
		a, b := places(french), places(catalogues()["en"][key])
		if !slices.Equal(a, b) {
			t.Errorf("%q: %v in French, %v in English", key, a, b)
		}
		for _, p := range a {
			if !regexp.MustCompile(`^\{\d\}$`).MatchString(p) {
				t.Errorf("%q: %s is no place of an argument", key, p)
			}
		}
	}
}

func places(text string) []string {
	found := place.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestCataloguesAreFlatSortedAndWithoutDuplicates(t *testing.T) {
	for _, lang := range Languages {
		data, err := files.ReadFile(lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(data)))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		last := ""
		for d.More() {
			key, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			if key.(string) <= last {
				t.Errorf("%s: %q comes after %q", lang, key, last)
			}
			last = key.(string)
			if text, err := d.Token(); err != nil || text == "" {
				t.Errorf("%s: %q has no text", lang, key)
			}
		}
	}
}

func TestFrenchTypography(t *testing.T) {
	rules := []struct {
		what  string
		wrong *regexp.Regexp
	}{
		{"a breakable or missing space before a double sign", regexp.MustCompile(`[^\x{00A0}\x{202F}<&][;!?»](\s|$|[.,)])`)},
		{"a breakable or missing space before a colon", regexp.MustCompile(`[^\x{00A0}\x{202F}]:(\s|$)`)},
		{"a breakable or missing space before a percent sign", regexp.MustCompile(`[^\x{00A0}\x{202F}]%`)},
		{"a breakable or missing space after «", regexp.MustCompile(`«[^\x{00A0}\x{202F}]`)},
		{"a straight apostrophe", regexp.MustCompile(`'`)},
		{"a straight quotation mark", regexp.MustCompile(`"`)},
		{"three dots instead of …", regexp.MustCompile(`\.\.\.`)},
		{"a long dash", regexp.MustCompile(`[—–]`)},
		{"a middle dot", regexp.MustCompile(`·`)},
		{"two blanks", regexp.MustCompile(`  `)},
		{"an exclamation", regexp.MustCompile(`!`)},
		{"email instead of e-mail", regexp.MustCompile(`\bemail\b`)},
	}
	for key, text := range catalogues()["fr"] {
		for _, r := range rules {
			if r.wrong.MatchString(text) {
				t.Errorf("%s: %s: %q", key, r.what, text)
			}
		}
	}
}

func TestEnglishTypography(t *testing.T) {
	wrong := regexp.MustCompile(`'|"|\.\.\.|  |[—–«»!]|\s[:;?]`)
	for key, text := range catalogues()["en"] {
		if wrong.MatchString(text) {
			t.Errorf("%s: %q in %q", key, wrong.FindString(text), text)
		}
	}
}

// wordUse is what the sources of the program say about keys.
type wordUse struct {
	asked    map[string]string // keys that are asked for by name, with the file
	literals map[string]bool   // all texts of the program
	prefixes map[string]bool   // beginnings of keys that are put together
	suffixes map[string]bool   // and ends
}

// asks are the functions that take a key, with its place among the arguments.
var asks = map[string]int{"T": 1, "Message": 1, "Text": 1, "Msg": 0, "Flash": 0, "Refuse": 2, "Invalid": 1, "Conflict": 1}

var keyEnd = regexp.MustCompile(`^[._][a-z][a-z0-9_.]*$`)

var keyForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$`)

func readSources(t *testing.T) wordUse {
	use := wordUse{map[string]string{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "var" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, ok := literal(n); ok {
					use.literals[s] = true
				}
			case *ast.BinaryExpr:
				if s, ok := literal(leftmost(n)); ok && n.Op == token.ADD && strings.Contains(s, ".") {
					use.prefixes[s] = true
				}
				if s, ok := literal(n.Y); ok && keyEnd.MatchString(s) {
					use.suffixes[s] = true
				}
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				if i, ok := asks[name]; ok && i < len(n.Args) {
					if s, ok := literal(n.Args[i]); ok && keyForm.MatchString(s) {
						use.asked[s] = path
					}
				}
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Key" {
					if s, ok := literal(n.Value); ok && keyForm.MatchString(s) {
						use.asked[s] = path
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return use
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func leftmost(e ast.Expr) ast.Expr {
	for {
		b, ok := e.(*ast.BinaryExpr)
		if !ok {
			return e
		}
		e = b.X
	}
}

func TestEveryKeyThatIsAskedForExists(t *testing.T) {
	for key, file := range readSources(t).asked {
		if _, ok := catalogues()["fr"][key]; ok {
			continue
		}
		if _, ok := catalogues()["fr"][key+".other"]; !ok {
			t.Errorf("%s asks for %q", file, key)
		}
	}
}

func TestNoKeyIsUnused(t *testing.T) {
	use := readSources(t)
	for key := range catalogues()["fr"] {
		base := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		if use.literals[key] || use.literals[base] {
			continue
		}
		made := false
		for prefix := range use.prefixes {
			made = made || strings.HasPrefix(base, prefix)
		}
		for suffix := range use.suffixes {
			made = made || strings.HasSuffix(base, suffix)
		}
		if !made {
			t.Errorf("nothing uses %q", key)
		}
	}
}
