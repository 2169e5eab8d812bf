// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Synchronization

/// A command socket that answers from a script, each answer in pieces of three bytes.
final class FakeSuricata: Sendable {
    let path = "/tmp/epitope-fake-\(UUID().uuidString.prefix(8)).sock"
    private let listener: Int32
    private let answers: Mutex<[String]>

    /// - Parameter answers: one for each line that comes, in order; when they run out there is only silence.
    init(_ answers: [String]) {
        self.answers = Mutex(answers)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        listen(listener, 1)
        Thread.detachNewThread { [self] in serve() }
    }

    private func serve() {
        let client = accept(listener, nil, nil)
        var byte: UInt8 = 0
        while recv(client, &byte, 1, 0) == 1 {
            guard byte == UInt8(ascii: "\n") else { continue }
            let answer = answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            guard let answer else { continue }
            var rest = Array((answer + "\n").utf8)[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(3))
                send(client, piece, piece.count, Int32(MSG_NOSIGNAL))
                rest = rest.dropFirst(3)
                usleep(200)
            }
        }
        close(client)
        close(listener)
        unlink(path)
    }
}
