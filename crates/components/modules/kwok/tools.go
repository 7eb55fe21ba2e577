//go:build tools

// Package components pins what kubeclash builds as its kwok.
package components

import (
	_ "sigs.k8s.io/kwok/cmd/kwok"
	_ "sigs.k8s.io/kwok/cmd/kwokctl"
)
