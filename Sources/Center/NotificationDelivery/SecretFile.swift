// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc

/// A secret in a file that only its owner reads. It is read anew for each attempt: one that is replaced holds from the next on.
struct SecretFile: Hashable, Sendable {
    let path: String

    private static let maxBytes = 64 << 10

    /// The content.
    ///
    /// - Throws: `secret-unusable` where it can't be read, is another user's, or others could read it.
    func bytes() throws(EpitopeError) -> [UInt8] {
        let (content, status): ([UInt8], FileStatus)
        do throws(FileError) {
            let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            status = try file.status()
            content = try file.readWhole(maxBytes: Self.maxBytes)
        } catch {
            throw refusal("can't be read: \(error)", "put the secret there, mode 0600, for the user who runs the center")
        }
        guard status.owner == geteuid() || status.owner == 0 else {
            throw refusal("is another user's (\(status.owner))", "give it to the user who runs the center: chown \(path)")
        }
        guard status.permissions & 0o077 == 0 else {
            throw refusal("can be read or written by others (mode \(String(status.permissions, radix: 8)))", "run: chmod 600 \(path)")
        }
        return content
    }

    /// Its one line, without blanks around it.
    func line() throws(EpitopeError) -> String {
        guard let text = String(validating: try bytes(), as: UTF8.self) else {
            throw refusal("is no text", "put the secret there in one line")
        }
        let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingWhitespace() }.filter { !$0.isEmpty }
        guard lines.count == 1, let line = lines.first else {
            throw refusal("has \(lines.count) lines", "put the secret there in one line")
        }
        return line
    }

    func refusal(_ what: String, _ remedy: String) -> EpitopeError {
        EpitopeError(.secretUnusable, "the file \(path) of a secret \(what)", remedy: remedy)
    }
}

extension Substring {
    fileprivate func trimmingWhitespace() -> String {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
