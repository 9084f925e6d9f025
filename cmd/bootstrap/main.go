// Command bootstrap is Picket's functions alone: what the Lambda runtime hands out
// -> the steps that are asked for. It is "picket" without the command line, the
// server and the embedded model, a third of the size; _HANDLER names the function.
package main

import (
	"context"
	"fmt"
	"os"

	"picket/aws/lambda"
)

// version is set at release by -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	if err := lambda.Run(context.Background(), os.Getenv, version, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "picket: error:", err)
		os.Exit(1)
	}
}
