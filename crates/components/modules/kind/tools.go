//go:build tools

// Package components pins what kubeclash builds as its kind.
package components

import _ "sigs.k8s.io/kind"
