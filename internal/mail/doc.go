// Package mail writes and sends the mails of the panel: from what one is about
// to its words in French or English, as text and as HTML, and to a mail server.
//
// It reads and writes no table and decides nothing about who is told what: the
// outbox is the store's.
package mail
