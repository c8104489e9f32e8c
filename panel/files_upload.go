package panel

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"cancale/internal/files"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// ticketHeader is where our script sends the ticket of a page.
const ticketHeader = "X-Ticket"

// told is an answer for our script.
type told struct {
	files.Upload

	Problem string `json:"problem,omitempty"` // in the person's language
	Resume  bool   `json:"resume,omitempty"`  // ask how much has come, and go on
}

// tell answers our script; a refusal is told in words.
func (r *Request) tell(u files.Upload, err error) error {
	if e, isRefusal := errors.AsType[*hosting.Error](err); isRefusal {
		answer := told{Upload: u, Problem: i18n.Message(r.Context(), e.Message.Key, e.Message.Args), Resume: e.Message.Key == "files.offset"}
		answer.Exists = e.Message.Key == "files.exists"
		return r.echo.JSON(http.StatusUnprocessableEntity, answer)
	}
	if err != nil {
		return err
	}
	return r.echo.JSON(http.StatusOK, told{Upload: u})
}

// uploadBegun is GET /files/:id/begun.
func (s *server) uploadBegun(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	u, err := at.files.Begun(r.Context(), at.path, r.Query("name"), r.Query("key"))
	return r.tell(u, err)
}

// uploadPiece is POST /files/:id/piece: the body is a piece of a file.
func (s *server) uploadPiece(r *Request) error {
	r.form = url.Values{ticketField: {r.echo.Request().Header.Get(ticketHeader)}}
	if err := r.checkTicket(); err != nil {
		return err
	}
	if r.stale {
		return errForbidden
	}
	at, err := r.place()
	if err != nil {
		return err
	}
	offset, offsetErr := strconv.ParseInt(r.Query("offset"), 10, 64)
	total, totalErr := strconv.ParseInt(r.Query("total"), 10, 64)
	key := r.Query("key")
	if offsetErr != nil || totalErr != nil || key == "" {
		return hosting.Refuse(hosting.Invalid, "", "files.none_chosen")
	}
	u, err := at.files.Upload(r.Context(), at.path, r.Query("name"), r.Query("replace") != "", files.Piece{Key: key, Offset: offset, Total: total}, r.stream(r.echo.Request().Body))
	return r.tell(u, err)
}
