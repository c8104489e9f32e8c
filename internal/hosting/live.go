package hosting

import "time"

// Listed is what a session does that reads a folder; the journal does not note
// it.
const Listed TransferAction = "listed"

// LiveSession is somebody who is connected to the files now.
type LiveSession struct {
	ID        uint64         `json:"id"` // means nothing once the session has ended
	Login     FTPName        `json:"login"`
	AccountID AccountID      `json:"account_id"` // 0 before the login
	Protocol  Protocol       `json:"protocol"`
	Source    string         `json:"source"`
	Since     time.Time      `json:"since"`
	Action    TransferAction `json:"action"` // what it does now; "" is at rest
	Path      string         `json:"path"`   // to which file, as the member sees it
	Begun     time.Time      `json:"begun"`  // the action, or the rest
	Bytes     int64          `json:"bytes"`  // that the action moved so far
	Speed     int64          `json:"speed"`  // bytes in the last second
}
