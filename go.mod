module github.com/prefgrad/prefgrad

go 1.25.0
