// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import Crypto
import EpitopeModel
import NIOCore
import NIOSSL
import SecureChannel
import Synchronization
import X509

/// `center-load enrol`: hosts that enrol, each with a token of its own, as fast as the center issues certificates.
struct EnrolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "enrol", abstract: "Enrols hosts for some seconds.")

    @OptionGroup var options: CenterOptions
    @Option(help: "How long, in seconds.") var seconds = 5.0
    @Option(help: "Tokens that are made first, and redeemed.") var tokens = 2000
    @Option(help: "Connections at a time.") var connections = 16

    func run() async throws {
        raiseFileLimit()
        let authority = try AuthorityCertificate.load(from: "\(options.state)/authority")
        let store = try CenterStore(path: "\(options.state)/center.sqlite")
        var made: [String] = []
        for number in 0..<tokens {
            made.append("\(try await authority.makeToken(for: Identity(role: .host, name: "enrol-\(number)"), in: store))")
        }
        let request = try HostIdentities.request(for: Certificate.PrivateKey(P256.Signing.PrivateKey()))
        let bodies = try made.map { try ChannelJSON.encode(EnrolmentRequest(token: $0, request: request)) }
        let source = BodySource(bodies, path: "/v1/enroll", until: ContinuousClock.now + .seconds(seconds))
        let tally = Tally(journal: nil)
        let tls = try NIOSSLContext(configuration: HostIdentities.anonymousConfiguration)
        let network = Connections(to: options.target!)
        tally.begin()
        await Connections.inParallel(connections) { _ in
            while source.isOpen {
                do { try await network.run({ BodyScript(source: source, tally: tally) }, tls: tls) } catch { tally.failed("\(error)") }
            }
        }
        try Tally.printLine(tally.summary())
    }
}

/// Gives out bodies, each once (or one for ever), until a time.
final class BodySource: Sendable {
    private let bodies: [[UInt8]]
    private let path: String
    private let headers: [String]
    private let repeats: Bool
    private let until: ContinuousClock.Instant
    private let next = Atomic(0)

    init(_ bodies: [[UInt8]], path: String, headers: [String] = [], repeats: Bool = false, until: ContinuousClock.Instant) {
        self.bodies = bodies
        self.path = path
        self.headers = headers
        self.repeats = repeats
        self.until = until
    }

    var isOpen: Bool { .now < until && (repeats || next.load(ordering: .relaxed) < bodies.count) }

    func take() -> [UInt8]? {
        let number = next.add(1, ordering: .relaxed).oldValue
        guard .now < until, repeats || number < bodies.count else { return nil }
        let body = bodies[number % bodies.count]
        return HTTPRequest.head(method: "POST", path: path, type: "application/json", length: body.count, headers: headers) + body
    }
}

/// Posts one body after the other.
final class BodyScript: ConnectionScript {
    private let source: BodySource
    private let tally: Tally

    init(source: BodySource, tally: Tally) {
        self.source = source
        self.tally = tally
    }

    func next(allocator: ByteBufferAllocator) -> ByteBuffer? { source.take().map { allocator.buffer(bytes: $0) } }
    func answered(_ answer: Answer, after duration: Duration) { tally.answered(answer, id: nil, after: duration) }
    func failed(_ reason: String) { tally.failed(reason) }
}
