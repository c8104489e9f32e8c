package panel

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"cancale/internal/hosting"
)

// Names under which a request's own things are kept in its echo.Context.
const (
	ctxRequestID = "request id"
	ctxRequest   = "request"
)

// observe gives each request an id and writes one line about it. The line
// holds the route, not the address: a link's token is a secret.
func (s *server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		id := string(hosting.NewToken())[:12]
		c.Set(ctxRequestID, id)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		if err := next(c); err != nil {
			c.Error(err) // now, so that the line has the status
		}
		level := slog.LevelInfo
		if isAsset(c) || c.Path() == "/healthz" {
			level = slog.LevelDebug
		}
		var person hosting.PersonID
		if r, ok := c.Get(ctxRequest).(*Request); ok {
			person = r.Actor.Person
		}
		s.log.LogAttrs(c.Request().Context(), level, "request",
			slog.String("id", id),
			slog.String("method", c.Request().Method),
			slog.String("route", c.Path()),
			slog.Int("status", c.Response().Status),
			slog.Int64("bytes", c.Response().Size),
			slog.Duration("took", time.Since(began)),
			slog.String("source", c.RealIP()),
			slog.Uint64("person", uint64(person)))
		return nil
	}
}

// contentPolicy allows what we serve ourselves and nothing else: no inline
// script or style, no frame around us, no form that sends elsewhere.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that browsers protect people by.
func (s *server) secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if s.https {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !isAsset(c) {
			h.Set("Cache-Control", "no-store")
		}
		return next(c)
	}
}

// answerErrors draws the page of an error while the request's context, which
// the page is drawn and the session read with, still lives.
func (s *server) answerErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			s.fail(c, err)
		}
		return nil
	}
}

// recover turns a panic of a handler into an error whose stack is logged.
func (s *server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p) // net/http's own way to drop a connection
			default:
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}
