//go:build tools

// Package components pins what kubeclash builds as its descheduler.
package components

import _ "sigs.k8s.io/descheduler/cmd/descheduler"
