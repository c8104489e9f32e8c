package host

import "context"

// Services starts, stops and reloads what serves sites: the supervisor of a
// private installation, or systemd.
type Services interface {
	// Reload makes a service read its configuration anew without losing a
	// request; "apache" is the only one.
	Reload(ctx context.Context, service string) error
	// EnsureActivated keeps a listening unix socket and starts the program on
	// the first connection.
	EnsureActivated(ctx context.Context, a Activation) error
	// RemoveActivated stops the program, closes the socket and forgets both.
	RemoveActivated(ctx context.Context, name string) error
}

// Activation is a program that sleeps until somebody connects to its socket.
type Activation struct {
	Name      string `json:"name"`       // "php-17"
	SocketDir string `json:"socket_dir"` // where the socket is made; the directory guards it
	Socket    string `json:"socket"`     // mode 0660, root:www-data
	Group     uint32 `json:"group"`      // instead of www-data's, when it is not 0
	Spec      string `json:"spec"`       // path of the sandbox's specification
	// Hash is of everything that the program reads; when it changes, a running
	// program is replaced.
	Hash string `json:"hash"`
}
