package store

import (
	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// Config says how MariaDB is reached and who listens.
type Config struct {
	Socket      string // of MariaDB; may be longer than a socket's path can be
	User        string
	Password    string
	Database    string
	PanelHost   hosting.Hostname // refused to sites; may be empty
	AgentSocket string           // datagram socket that is woken after a commit; may be empty
}

// Store is the application's door to the database.
type Store struct {
	cfg Config
	db  *gorm.DB
}
