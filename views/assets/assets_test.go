package assets

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAFileIsKeptForEverUnderItsHash(t *testing.T) {
	path := Path("cancale.css")
	if !regexp.MustCompile(`^/assets/[0-9a-f]{16}/cancale\.css$`).MatchString(path) {
		t.Fatalf("path %s", path)
	}
	res := get(t, "GET", path)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	plain := body(t, res.Body)
	res = get(t, "GET", path, "Accept-Encoding", "br, gzip")
	if res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("%v", res.Header)
	}
	z, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body(t, z) != plain {
		t.Error("the compressed file differs")
	}
}

func TestAnswersOfTheHandler(t *testing.T) {
	css := Path("cancale.css")
	tag := get(t, "GET", css).Header.Get("ETag")
	for _, c := range []struct {
		what, method, path string
		header             []string
		status             int
		cache              string
	}{
		{"an old hash is served and not kept", "GET", "/assets/0000/cancale.css", nil, 200, "no-cache"},
		{"an unknown file", "GET", "/assets/0000/other.css", nil, 404, ""},
		{"no way out of the directory", "GET", "/assets/0000/../assets.go", nil, 404, ""},
		{"the icons are no file", "GET", "/assets/0000/icons.svg", nil, 404, ""},
		{"the directory", "GET", "/assets/", nil, 404, ""},
		{"a head", "HEAD", css, nil, 200, "public, max-age=31536000, immutable"},
		{"a post", "POST", css, nil, 405, ""},
		{"what the browser has already", "GET", css, []string{"If-None-Match", tag}, 304, "public, max-age=31536000, immutable"},
		{"a browser that refuses gzip", "GET", css, []string{"Accept-Encoding", "gzip;q=0"}, 200, "public, max-age=31536000, immutable"},
	} {
		res := get(t, c.method, c.path, c.header...)
		if res.StatusCode != c.status || res.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s: %d, Cache-Control %q", c.what, res.StatusCode, res.Header.Get("Cache-Control"))
		}
		if c.method == "HEAD" && body(t, res.Body) != "" {
			t.Errorf("%s: a body", c.what)
		}
	}
}

func TestMinifyLeavesTheMeaning(t *testing.T) {
	for _, c := range []struct{ css, want string }{
		{"/* a */\na , b{ color : red ; }\n", "a,b{color :red}"},
		{".a :is(b, c){margin: 0 auto}", ".a :is(b,c){margin:0 auto}"},
		{".a:is(b)::before{content: \"a ; { b\\\" }\"}", ".a:is(b)::before{content:\"a ; { b\\\" }\"}"},
		{"@media (min-width: 2rem) and (x){a{b: calc(1px + 2px)}}", "@media (min-width:2rem) and (x){a{b:calc(1px + 2px)}}"},
		{"a{b: url('x  y')}/* never closed", "a{b:url('x  y')}"},
	} {
		if got := string(minify([]byte(c.css))); got != c.want {
			t.Errorf("%q: got %q, want %q", c.css, got, c.want)
		}
	}
}

func TestTheStyleSheetLosesNoRule(t *testing.T) {
	before, after := string(read("cancale.css")), string(served()["cancale.css"].plain)
	for _, mark := range []string{"{", "}"} {
		if strings.Count(before, mark) != strings.Count(after, mark) {
			t.Errorf("%d %s before, %d after", strings.Count(before, mark), mark, strings.Count(after, mark))
		}
	}
	if len(after) > len(before)*9/10 {
		t.Errorf("%d bytes of %d", len(after), len(before))
	}
}

func TestEveryIconIsADrawing(t *testing.T) {
	if len(icons()) < 50 {
		t.Fatalf("%d icons", len(icons()))
	}
	for name, drawing := range icons() {
		if !strings.HasPrefix(drawing, "<path d=") || strings.Contains(drawing, "<script") {
			t.Errorf("%s: %s", name, drawing)
		}
	}
}

func TestNothingIsLoadedFromAnotherHost(t *testing.T) {
	outside := regexp.MustCompile(`(?:url\(|@import|src=)\s*["']?(?:https?:)?//`)
	for _, name := range []string{"cancale.css", "cancale.js", "passkey.js"} {
		if found := outside.FindString(string(read(name))); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
}
