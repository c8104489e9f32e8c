package panel

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"cancale/internal/hosting"
	"cancale/views"
)

// failure is an answer that is an error page, and why, for the log.
type failure struct {
	status int
	page   views.ErrorKind
	why    string
}

func (f *failure) Error() string { return strconv.Itoa(f.status) + ": " + f.why }

// kindPages is the one table from what a refusal is to how the web says it.
var kindPages = map[hosting.Kind]failure{
	hosting.Internal:        {status: http.StatusInternalServerError, page: views.PageInternal},
	hosting.Invalid:         {status: http.StatusUnprocessableEntity, page: views.PageRefused},
	hosting.Conflict:        {status: http.StatusConflict, page: views.PageRefused},
	hosting.OverLimit:       {status: http.StatusConflict, page: views.PageRefused},
	hosting.NotFound:        {status: http.StatusNotFound, page: views.PageNotFound},
	hosting.Forbidden:       {status: http.StatusForbidden, page: views.PageForbidden},
	hosting.Unauthenticated: {status: http.StatusForbidden, page: views.PageForbidden},
	hosting.Unavailable:     {status: http.StatusServiceUnavailable, page: views.PageDown},
}

// statusPages is the same for what the router and the middleware refuse.
var statusPages = map[int]views.ErrorKind{
	http.StatusNotFound:              views.PageNotFound,
	http.StatusMethodNotAllowed:      views.PageMethod,
	http.StatusForbidden:             views.PageForbidden,
	http.StatusRequestEntityTooLarge: views.PageTooLarge,
	http.StatusTooManyRequests:       views.PageTooMany,
	http.StatusServiceUnavailable:    views.PageDown,
}

func failureOf(err error) failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return *f
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		page, known := statusPages[e.Code]
		if !known {
			page = views.PageInternal
		}
		return failure{status: e.Code, page: page}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return kindPages[hosting.Unavailable]
	}
	return kindPages[hosting.KindOf(err)]
}

// fail is the one place where an error becomes an answer. The cause goes to
// the log and never to the page.
func (s *server) fail(c echo.Context, err error) {
	if c.Response().Committed {
		s.logFailure(c, "answer broken off", err)
		return
	}
	f := failureOf(err)
	if f.status >= http.StatusInternalServerError {
		s.logFailure(c, "request failed", err)
	} else {
		s.log.LogAttrs(c.Request().Context(), slog.LevelDebug, "request refused", slog.String("id", requestID(c)), slog.Any("error", err))
	}
	r, receiveErr := s.receive(c)
	if receiveErr != nil {
		s.logFailure(c, "error page without a session", receiveErr)
		r = &Request{echo: c, srv: s, ctx: c.Request().Context(), now: time.Now()}
		r.speak()
	}
	r.ctx = context.WithoutCancel(r.ctx) // the page is drawn also when the time is over
	if r.partial() {
		// A fragment that cannot be had leaves the page as it is.
		c.Response().Header().Set("HX-Reswap", "none")
	}
	params := views.ErrorParams{Kind: f.page, Back: r.backFrom(f)}
	params.Refusal = refusalOf(f, err)
	if f.status >= http.StatusInternalServerError {
		params.RequestID = requestID(c)
	}
	if err := r.render(f.status, views.ErrorPage(r.guestShell(), params)); err != nil {
		s.logFailure(c, "error page", err)
		_ = c.NoContent(f.status)
	}
}

// refusalOf is what an error page says besides its usual text.
func refusalOf(f failure, err error) hosting.Message {
	said := hosting.FieldErrors(err)[""]
	if f.page == views.PageRefused || f.page == views.PageDown || f.page == views.PageForbidden && said.Key != errForbidden.Message.Key {
		return said
	}
	return hosting.Message{}
}

// backFrom is where the person of an error page may want to go back to.
func (r *Request) backFrom(f failure) string {
	switch {
	case f.page == views.PageExpired && r.form != nil:
		return r.formPage()
	case f.page == views.PageNotFound || f.page == views.PageMethod:
		return ""
	case f.page == views.PageForbidden || r.unsafe():
		return r.back("")
	}
	return localPath(r.echo.Request().URL.RequestURI())
}

// logFailure writes why something that a request wanted could not be done.
func (s *server) logFailure(c echo.Context, what string, err error) {
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug // the person went away
	}
	s.log.LogAttrs(c.Request().Context(), level, "failure",
		slog.String("what", what),
		slog.String("id", requestID(c)),
		slog.String("method", c.Request().Method),
		slog.String("route", c.Path()),
		slog.Any("error", err))
}

func requestID(c echo.Context) string {
	id, _ := c.Get(ctxRequestID).(string)
	return id
}
