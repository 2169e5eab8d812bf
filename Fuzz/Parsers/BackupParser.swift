// SPDX-License-Identifier: Apache-2.0

import CenterBackup
import CenterStore
import EpitopeModel
import Foundation
import TestSupport

extension FuzzParser {
    /// Backups of centers: an input is read as a whole file, and as the manifest of one whose end fits it. What is accepted lies within
    /// the file, and its parts are what the manifest says.
    static let backup = FuzzParser(
        name: "backup", what: "backups of centers: the file, and the manifest in it; compared with what it says",
        dictionary: JSONWords.all + ["\"offset\":", "\"bytes\":", "\"sha256\":", "\"parts\":[", "center.sqlite"].map { Array($0.utf8) },
        seeds: { _ in [manifest, content + manifest + BackupTrailer(offset: Int64(content.count), manifest: manifest).bytes] },
        run: { input, scratch in
            let sealed = content + input + BackupTrailer(offset: Int64(content.count), manifest: input).bytes
            var isAccepted = false
            var refusal: EpitopeError?
            for bytes in [input, sealed] {
                do throws(EpitopeError) {
                    let path = (try? scratch.write(bytes, to: "backup")) ?? ""
                    let backup = try BackupFile(path: path)
                    let held = backup.manifest.parts.reduce(0) { $0 + $1.bytes }
                    guard held < bytes.count, backup.manifest.parts.allSatisfy({ $0.bytes >= 0 && $0.offset >= 0 }) else {
                        broken("parts that the file doesn't hold")
                    }
                    try backup.manifest.requireRestorable(as: "local-center")
                    try backup.verify()
                    isAccepted = true
                } catch {
                    refusal = error
                }
            }
            if !isAccepted, let refusal { throw refusal }
        })

    /// What stands for the parts of a backup.
    private static let content = Array(repeating: UInt8(ascii: "e"), count: 300)

    private static let manifest: [UInt8] = {
        func part(_ name: String, _ place: Int) -> String {
            let hash = "4559f89bf01ffc69fb6b48a9d457c428d271e7ef01ffaf9732300d3d54c256bc"
            return "{\"name\":\"\(name)\",\"offset\":\(place),\"bytes\":100,\"sha256\":\"\(hash)\"}"
        }
        let parts = [part("center.sqlite", 0), part("authority.pem", 100), part("server.pem", 200)].joined(separator: ",")
        return Array(
            ("{\"version\":1,\"kind\":\"local-center\",\"authority\":\"00\",\"madeMilliseconds\":1,\"store\":{\"schema\":[],\"reports\":0,"
                + "\"revocations\":0,\"feedEnd\":{\"sequence\":0,\"mark\":0},\"subscription\":{\"sequence\":0,\"mark\":0}},\"parts\":[\(parts)]}")
                .utf8
        )
    }()
}
