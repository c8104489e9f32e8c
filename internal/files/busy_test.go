package files_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cancale/internal/hosting"
)

// Whoever fetches zips slowly, or not at all, keeps nobody from their files.
func TestSlowDownloadsKeepNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.write("www/big.jpg", strings.Repeat("0123456789abcdef", 1<<20)) // more than a socket holds
	for range 4 {
		res, err := w.files.Zip(ctx, []hosting.FilePath{"www"})
		ok(t, err)
		defer res.Body.Close()
	}
	_, err := w.files.Zip(ctx, []hosting.FilePath{"www"})
	refused(t, err, hosting.OverLimit, "files.busy")
	made, err := w.files.Copy(ctx, []hosting.FilePath{"www/big.jpg"}, "www")
	ok(t, err)
	_, err = w.files.Delete(ctx, []hosting.FilePath{hosting.FilePath(made.Path)})
	ok(t, err)
	res, err := w.as(w.stranger, w.other.ID).Zip(ctx, []hosting.FilePath{"www"})
	ok(t, err)
	ok(t, res.Body.Close())
}

// The beginning of a path is a path, too: a form that is cut acts on nothing.
func TestAFormThatIsTooLongIsRefused(t *testing.T) {
	w := newWorld(t)
	w.write("www/keep/file", "x")
	const limit, end = 4 << 20, "path=www/keep"
	form := "pad=" + strings.Repeat("x", limit-len("pad=&")-len(end)) + "&" + end + "/file"
	if _, err := w.link.Do(t.Context(), w.webmaster, http.MethodPost, fmt.Sprintf("/files/%d/delete", w.site.ID), nil, strings.NewReader(form)); err == nil {
		t.Error("the form is taken")
	}
	if w.missing("www/keep/file") {
		t.Error("the folder is gone")
	}
	_, err := w.files.Entry(t.Context(), "www/keep/file")
	ok(t, err)
}
