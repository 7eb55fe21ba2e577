//go:build tools

// Package components pins what kubeclash builds as its etcd.
package components

import _ "go.etcd.io/etcd/server/v3"
