// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PatternScan
import Signatures
import TestSupport

/// A sample of the machine's own programs and libraries: goodware that no signature should be found in.
struct MachineFiles {
    private var contents: [Data] = []

    /// - Parameter mebibytes: how much is taken, evenly from the folders' files in random order.
    init(mebibytes: Int, seed: UInt64) {
        var bytes = 0
        for path in Self.paths(seed: seed) where bytes < mebibytes << 20 {
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped) else { continue }
            contents.append(data)
            bytes += data.count
        }
    }

    /// Regular files of programs and libraries in random order, none of them empty or beyond 64 MiB.
    static func paths(seed: UInt64) -> [String] {
        var paths: [String] = []
        for folder in ["/usr/bin", "/usr/lib"] {
            let walk = FileManager.default.enumerator(atPath: folder)
            while let name = walk?.nextObject() as? String {
                guard walk?.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
                    let size = walk?.fileAttributes?[.size] as? UInt64, (1..<(64 << 20)).contains(size)
                else { continue }
                paths.append("\(folder)/\(name)")
            }
        }
        var random = SeededGenerator(seed: seed, "machine files")
        return paths.sorted().shuffled(using: &random)
    }

    var summary: String {
        "\(contents.count) files of /usr/bin and /usr/lib, \(contents.reduce(0) { $0 + $1.count } >> 20) MiB"
    }

    /// How many of the files a signature matches.
    func hits(of signatures: [Signature]) -> Int {
        contents.filter { data in
            data.withUnsafeBytes { bytes in signatures.contains { $0.match(in: bytes) != nil } }
        }.count
    }
}
