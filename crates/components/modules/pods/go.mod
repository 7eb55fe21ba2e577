module kubeclash.dev/components/pods

go 1.24
