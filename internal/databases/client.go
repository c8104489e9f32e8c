package databases

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
)

// Client is the other end: for the panel, as whoever is signed in, and for the
// command line.
type Client struct {
	Link  *ftplink.Client
	Actor hosting.Actor
}

// Export opens the file of an export that was begun in the store.
func (c Client) Export(ctx context.Context, id hosting.DatabaseWorkID) (*http.Response, error) {
	return c.Link.Do(ctx, c.Actor, http.MethodGet, fmt.Sprintf("/works/%d/export", id), nil, nil)
}

// Send sends the file of an import that was begun in the store.
func (c Client) Send(ctx context.Context, id hosting.DatabaseWorkID, file io.Reader) error {
	res, err := c.Link.Do(ctx, c.Actor, http.MethodPut, fmt.Sprintf("/works/%d/file", id), nil, file)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Apply has a pass that was made or ended in the store let in, or out, now.
func (c Client) Apply(ctx context.Context, id hosting.DatabasePassID) error {
	return c.Link.Call(ctx, c.Actor, http.MethodPost, fmt.Sprintf("/passes/%d/apply", id), nil, nil, nil)
}

// Run has a check done that was begun in the store.
func (c Client) Run(ctx context.Context, id hosting.DatabaseWorkID) error {
	return c.Link.Call(ctx, c.Actor, http.MethodPost, fmt.Sprintf("/works/%d/run", id), nil, nil, nil)
}
