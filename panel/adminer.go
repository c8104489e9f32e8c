package panel

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"cancale/internal/adminer"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

// Adminer, for one database, as long as a visit lasts.
//
// Its pages come from the panel's own origin, and what they show was written by
// anybody who fills in a form of the association's site: a fault of Adminer's
// would be a script on the panel. So each of its answers is sandboxed by its
// policy (CSP "sandbox" without allow-same-origin): the page has an origin of its
// own, like no other. No script of it reads a page or a cookie of the panel, and
// none of its forms brings the panel's cookie along, which is SameSite. For the
// same reason the panel's cookie cannot say who sends Adminer's forms; the token
// in the address does. It is drawn at the beginning of a visit, told to nobody
// but that one browser, sent on to nobody (Referrer-Policy), and good for nothing
// without the session that began the visit: each request looks at that session,
// and at what its person may do now. A browser that somebody else is signed in
// with, and one that opens the address without being signed in, is sent away.
//
// Forms, connections and pictures are kept to the visit's own address by the
// policy, scripts to those with Adminer's nonce. Adminer sets no cookie: what it
// has to know of its session, and the database's password, go from here to PHP.
// Of its answers' headers only those below come through.
func (s *server) adminerRoutes() {
	const page = "/databases/:id/adminer/:token/"
	s.route(http.MethodPost, "/databases/:id/adminer", hosting.DatabasesContent, s.openAdminer)
	s.route(http.MethodPost, "/databases/:id/adminer/close", hosting.DatabasesContent, s.closeAdminer)
	s.streamRoute(http.MethodGet, page, hosting.Public, s.adminer)
	s.streamRoute(http.MethodPost, page, hosting.Public, s.adminer)
	s.streamRoute(http.MethodOptions, page, hosting.Public, s.adminerAllows)
}

// visitsAtOnce is how many requests of all visits to an association's databases
// are under way: what a browser sends, and half of what PHP works on at a time
// (pm.max_children), however many visits its members begin.
const visitsAtOnce = 6

// openAdminer is POST /databases/:id/adminer.
func (s *server) openAdminer(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	token := string(hosting.NewToken())
	pass, err := s.store.BeginVisit(r.Context(), r.Actor, r.Session, database.ID, token, s.keys.ofVisit("password", token))
	if err != nil {
		return err
	}
	if err := r.content().Apply(r.Context(), pass.ID); err != nil {
		if e := s.store.EndVisit(r.Context(), pass.ID); e != nil {
			s.logFailure(r.echo, "the end of a visit", e) // its time will be over
		}
		return err
	}
	return r.Redirect("/databases/%d/adminer/%s/", database.ID, token)
}

// closeAdminer is POST /databases/:id/adminer/close.
func (s *server) closeAdminer(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	pass, open, err := s.store.OpenVisit(r.Context(), r.Session, database.ID)
	if err != nil {
		return err
	}
	if open {
		if err := s.endVisit(r, pass.ID); err != nil {
			return err
		}
	}
	return r.Redirect("/databases/%d?adminer=closed", database.ID)
}

// endVisit ends a visit, and lets its pass be taken off now rather than soon.
func (s *server) endVisit(r *Request, id hosting.DatabasePassID) error {
	if err := s.store.EndVisit(r.Context(), id); err != nil {
		return err
	}
	if err := r.content().Apply(r.Context(), id); err != nil {
		s.logFailure(r.echo, "the end of a visit", err) // the agent finds it
	}
	return nil
}

// visit is the visit of the address; nil when there is none, or not for this
// browser.
func (s *server) visit(r *Request) (*store.Visit, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	v, err := s.store.Visit(r.Context(), r.echo.Param("token"))
	if hosting.KindOf(err) == hosting.NotFound {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	// Pages bring the cookie; forms, and what a page loads, do not.
	opened := !r.unsafe() && !slices.Contains(loaded, r.echo.Request().Header.Get("Sec-Fetch-Dest"))
	if v.Database.ID != hosting.DatabaseID(id) || (r.Session.ID != 0 || opened) && r.Session.ID != v.Session.ID {
		return nil, nil //nolint:nilnil // as above
	}
	return &v, nil
}

// loaded are the destinations of what a page loads (Sec-Fetch-Dest).
var loaded = []string{"empty", "image", "script", "style"}

// adminer is GET and POST /databases/:id/adminer/:token/.
func (s *server) adminer(r *Request) error {
	v, err := s.visit(r)
	if err != nil {
		return err
	}
	if v == nil { // the page of the database, which asks who may see it, says so
		id, err := r.id()
		if err != nil {
			return err
		}
		return r.Redirect("/databases/%d?adminer=ended", id)
	}
	req := r.echo.Request()
	var body io.Reader
	if r.unsafe() {
		if req.ContentLength < 0 {
			return echo.NewHTTPError(http.StatusLengthRequired)
		}
		if req.ContentLength > adminer.MaxBody {
			return echo.NewHTTPError(http.StatusRequestEntityTooLarge)
		}
		body = r.stream(io.LimitReader(req.Body, req.ContentLength))
	}
	if !s.visits.enter(v.Database.AccountID) {
		return hosting.Refuse(hosting.Unavailable, "", "adminer.crowded")
	}
	defer s.visits.leave(v.Database.AccountID)
	if err := s.store.ProlongVisit(r.Context(), v.Pass); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(req.Context(), patient)
	defer cancel()
	res, err := adminer.Do(ctx, s.conf.Layout.AdminerSocket(), s.adminerVariables(r, v), body)
	if err != nil {
		return &hosting.Error{Kind: hosting.Unavailable, Message: hosting.Msg("error.unavailable"), Err: err}
	}
	defer res.Body.Close()
	if res.Header.Get("Cancale-Close") != "" {
		r.Actor = v.Session.Actor // the form came without a cookie
		if err := s.endVisit(r, v.Pass.ID); err != nil {
			return err
		}
		return r.Redirect("/databases/%d?adminer=closed", v.Database.ID)
	}
	return s.passOn(r, res)
}

// ofVisit is a secret of a visit, for one use: it follows from the visit's token,
// so that it is kept nowhere.
func (k keys) ofVisit(use, token string) string {
	h := hmac.New(sha256.New, k.visits)
	h.Write([]byte(use + "\x00" + token))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// adminerVariables is what PHP is told. Of what the browser sent only these
// parts are.
func (s *server) adminerVariables(r *Request, v *store.Visit) map[string]string {
	req := r.echo.Request()
	token := r.echo.Param("token")
	lang := v.Session.Person.Language
	if !known(lang, i18n.Languages) {
		lang = i18n.Lang(r.Context())
	}
	title := "adminer.title"
	if v.Pass.ReadOnly {
		title = "adminer.title_read"
	}
	vars := map[string]string{
		"CANCALE_USER":      v.Pass.User(v.Database.Name),
		"CANCALE_PASSWORD":  s.keys.ofVisit("password", token),
		"CANCALE_DATABASE":  string(v.Database.Name),
		"CANCALE_TITLE":     i18n.T(i18n.WithLang(r.Context(), lang), title),
		"GATEWAY_INTERFACE": "CGI/1.1",
		"SERVER_PROTOCOL":   "HTTP/1.1",
		"SERVER_SOFTWARE":   "cancale",
		"SERVER_NAME":       s.public.Hostname(),
		"HTTP_HOST":         s.public.Host,
		"REDIRECT_STATUS":   "200",
		"REMOTE_ADDR":       "127.0.0.1",
		"REQUEST_METHOD":    req.Method,
		"SCRIPT_FILENAME":   adminer.Script,
		"SCRIPT_NAME":       req.URL.Path,
		"REQUEST_URI":       req.URL.RequestURI(),
		"QUERY_STRING":      req.URL.RawQuery,
		// It has no cookies but those that it thinks it has set.
		"HTTP_COOKIE": "adminer_sid=" + strings.NewReplacer("_", "-").Replace(s.keys.ofVisit("session", token)) + "; adminer_lang=" + lang + "; adminer_version=0",
	}
	if s.https {
		vars["HTTPS"] = "on"
	}
	if req.Header.Get("X-Requested-With") != "" {
		vars["HTTP_X_REQUESTED_WITH"] = "XMLHttpRequest"
	}
	if r.unsafe() {
		vars["CONTENT_TYPE"] = req.Header.Get("Content-Type")
		vars["CONTENT_LENGTH"] = strconv.FormatInt(req.ContentLength, 10)
	}
	return vars
}

// passed are the headers of Adminer's answers that browsers are to see.
var passed = []string{"Content-Type", "Content-Disposition"}

// passOn sends Adminer's answer to the browser.
func (s *server) passOn(r *Request, res *http.Response) error {
	h := r.echo.Response().Header()
	s.protectAdminer(r, nonceOf(res.Header))
	for _, name := range passed {
		if value := res.Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	if r.echo.QueryParam("file") != "" && res.StatusCode == http.StatusOK { // a script or a picture of its own
		h.Set("Cache-Control", "private, max-age=3600")
	}
	if location := res.Header.Get("Location"); location != "" {
		h.Set("Location", within(r.echo.Request().URL, location))
	}
	r.echo.Response().WriteHeader(res.StatusCode)
	if _, err := io.Copy(r.stream(nil), res.Body); err != nil {
		s.log.DebugContext(r.Context(), "an answer of Adminer broke off", slog.Any("error", err))
		panic(http.ErrAbortHandler) // it must not be taken for whole
	}
	return nil
}

// within is where a redirection of Adminer's leads, which is to itself.
func within(page *url.URL, location string) string {
	target, err := page.Parse(location)
	if err != nil || target.Path != page.Path || target.Host != page.Host || target.User != nil {
		return page.Path
	}
	return (&url.URL{Path: page.Path, RawQuery: target.RawQuery}).RequestURI()
}

var (
	nonceForm = regexp.MustCompile(`'nonce-([A-Za-z0-9+/=]{8,64})'`)
	hostForm  = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$|^\[[0-9a-fA-F:]+\](:[0-9]+)?$`)
)

// nonceOf is what Adminer's own policy lets its scripts run by.
func nonceOf(h http.Header) string {
	if m := nonceForm.FindStringSubmatch(h.Get("Content-Security-Policy")); m != nil {
		return m[1]
	}
	return ""
}

// protectAdminer replaces the panel's policies, as adminerRoutes says.
func (s *server) protectAdminer(r *Request, nonce string) {
	req, h := r.echo.Request(), r.echo.Response().Header()
	host := req.Host
	if !hostForm.MatchString(host) {
		host = s.public.Host
	}
	here := s.public.Scheme + "://" + host + req.URL.Path
	scripts := "'none'"
	if nonce != "" {
		scripts = "'nonce-" + nonce + "'"
	}
	h.Set("Content-Security-Policy", "sandbox allow-forms allow-scripts allow-modals allow-popups allow-downloads; default-src 'none'; "+
		"script-src "+scripts+"; style-src 'unsafe-inline' "+here+"; img-src data: "+here+"; connect-src "+here+"; form-action "+here+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	// A page of no origin is a stranger to all others, also to its own scripts
	// and pictures; who knows the token may have them.
	h.Del("Cross-Origin-Opener-Policy")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if req.Header.Get("Origin") == "null" {
		h.Set("Access-Control-Allow-Origin", "null")
		h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type")
	}
}

// adminerAllows is OPTIONS /databases/:id/adminer/:token/: a browser asks whether
// Adminer's page may ask something of itself. It learns nothing by it.
func (s *server) adminerAllows(r *Request) error {
	s.protectAdminer(r, "")
	return r.echo.NoContent(http.StatusNoContent)
}

// crowd counts the requests for each association that are under way.
type crowd struct {
	mu sync.Mutex
	n  map[hosting.AccountID]int
}

func (c *crowd) enter(id hosting.AccountID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[hosting.AccountID]int{}
	}
	if c.n[id] >= visitsAtOnce {
		return false
	}
	c.n[id]++
	return true
}

func (c *crowd) leave(id hosting.AccountID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[id]--; c.n[id] <= 0 {
		delete(c.n, id)
	}
}
