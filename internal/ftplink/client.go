package ftplink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cancale/internal/hosting"
)

// Client is the panel's end. It connects when it is asked something.
type Client struct{ http http.Client }

// NewClient makes a client of the daemon that listens there.
func NewClient(path string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     time.Minute, // sooner than the daemon hangs up
		DisableCompression:  true,
	}}}
}

// errTooLong is an answer that is none of the daemon's.
var errTooLong = errors.New("ftplink: the answer is too long")

// maxAnswer bounds what Call reads.
const maxAnswer = 16 << 20

// Call asks for something small: in goes as JSON, unless it is nil, and the
// answer is read into out, unless that is nil.
func (c *Client) Call(ctx context.Context, actor hosting.Actor, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("ftplink: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	res, err := c.Do(ctx, actor, method, path, query, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	limited := &io.LimitedReader{R: res.Body, N: maxAnswer}
	if err := json.NewDecoder(limited).Decode(out); err != nil {
		if limited.N <= 0 {
			err = errTooLong
		}
		return fmt.Errorf("ftplink: %s: %w", path, err)
	}
	return nil
}

// Do asks for something long: the body is sent as it is read, and whoever gets
// the answer reads and closes it. A refusal of the daemon is the error.
func (c *Client) Do(ctx context.Context, actor hosting.Actor, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	return c.DoWith(ctx, actor, method, path, query, nil, body)
}

// DoWith is Do with headers; those that say who asks are ours.
func (c *Client) DoWith(ctx context.Context, actor hosting.Actor, method, path string, query url.Values, header http.Header, body io.Reader) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "ftpd", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("ftplink: %w", err)
	}
	maps.Copy(req.Header, header)
	for _, ours := range []string{personHeader, sourceHeader, systemHeader, behalfHeader} {
		req.Header.Del(ours)
	}
	switch {
	case actor.Person != 0:
		req.Header.Set(personHeader, strconv.FormatUint(uint64(actor.Person), 10))
		if actor.BehalfOf() != 0 {
			req.Header.Set(behalfHeader, strconv.FormatUint(uint64(actor.BehalfOf()), 10))
		}
		req.Header.Set(sourceHeader, actor.Source)
	case actor.SignedIn():
		req.Header.Set(systemHeader, actor.Name)
	default:
		return nil, hosting.Refuse(hosting.Unauthenticated, "", "error.unauthenticated")
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ftplink: %w", err)
		}
		return nil, &hosting.Error{Kind: hosting.Unavailable, Message: hosting.Msg("error.unavailable"), Err: err}
	}
	switch res.StatusCode { // the last three are what a range may get
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return res, nil
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusRequestHeaderFieldsTooLarge { // no name is that long
		return nil, hosting.Refuse(hosting.Invalid, "", "files.name_too_long")
	}
	var f failure
	if err := json.NewDecoder(io.LimitReader(res.Body, maxHeader)).Decode(&f); err != nil || f.Message.IsZero() {
		return nil, fmt.Errorf("ftplink: %s %s: %s: %w", method, path, res.Status, err)
	}
	return nil, &hosting.Error{Kind: f.Kind, Field: f.Field, Message: f.Message}
}
