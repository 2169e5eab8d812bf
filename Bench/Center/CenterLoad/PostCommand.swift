// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import NIOSSL

/// `center-load post`: one JSON body again and again, to another product's server.
struct PostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "post", abstract: "Posts a JSON body for some seconds.")

    @Option(help: "The server, as ADDRESS:PORT.") var server: String
    @Option(help: "The path.") var path: String
    @Option(help: "The file with the body.") var body: String
    @Option(help: "A further header, as NAME: VALUE.") var header: [String] = []
    @Option(help: "How long, in seconds.") var seconds = 10.0
    @Option(help: "Connections at a time.") var connections = 64
    @Flag(help: "Plain HTTP.") var plain = false

    func run() async throws {
        raiseFileLimit()
        guard let target = Target(server) else { throw ValidationError("--server takes ADDRESS:PORT") }
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: body)))
        let source = BodySource([bytes], path: path, headers: header, repeats: true, until: ContinuousClock.now + .seconds(seconds))
        let tally = Tally(journal: nil)
        let tls = plain ? nil : try NIOSSLContext(configuration: HostIdentities.anonymousConfiguration)
        let network = Connections(to: target)
        tally.begin()
        await Connections.inParallel(connections) { _ in
            while source.isOpen {
                do { try await network.run({ BodyScript(source: source, tally: tally) }, tls: tls) } catch { tally.failed("\(error)") }
            }
        }
        try Tally.printLine(tally.summary())
    }
}
