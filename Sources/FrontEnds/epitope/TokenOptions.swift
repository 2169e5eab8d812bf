// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import FileAccess

/// Who enrols by a token.
protocol TokenHolder: Sendable {
    /// Who made the token, and for whom.
    static var tokenOrigin: String { get }
}

enum EnrollingHost: TokenHolder {
    static let tokenOrigin = "the center's operator created for this host"
}

enum LinkingSite: TokenHolder {
    static let tokenOrigin = "the global center's operator created for this site"
}

/// A one-time token, on the command line or, where other users can't see it, in a file or on standard input.
struct TokenOptions<Holder: TokenHolder>: ParsableArguments {
    @Option(help: "The one-time token that \(Holder.tokenOrigin); - reads it from standard input.")
    var token: String?

    @Option(help: ArgumentHelp("A file that has the token; - is standard input.", valueName: "file"))
    var tokenFile: String?

    /// What a command's usage says of them: each is an option to the parser, and one of them is needed.
    static var usage: String { "(--token <token> | --token-file <file>)" }

    func validate() throws {
        guard (token == nil) != (tokenFile == nil) else {
            throw ValidationError("give the token by one of --token-file FILE and --token TOKEN")
        }
    }

    /// - Throws: `token-unreadable`.
    func read() throws(EpitopeError) -> String {
        if let token, token != "-" { return token }
        guard let path = tokenFile, path != "-" else { return readLine() ?? "" }
        do throws(FileError) {
            // A token has fewer than 100 characters.
            return String(decoding: try FileContents.bytes(path, maxBytes: 4096), as: UTF8.self)
        } catch {
            throw EpitopeError(
                .tokenUnreadable, "the token file \(path) can't be read: \(error)",
                remedy: "name a file that exists, that this user may read, and that holds the token alone")
        }
    }
}

extension EpitopeError.Code {
    /// The file with the enrolment token can't be read.
    static let tokenUnreadable = EpitopeError.Code("token-unreadable")
}
