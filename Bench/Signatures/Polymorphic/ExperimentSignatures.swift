// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import Foundation
import PatternScan
import Signatures

/// All signatures of an experiment, searched for at its end in all files of the machine's programs in one pass.
final class ExperimentSignatures {
    private var signatures: [String: Signature] = [:]

    func add(_ trial: Trial) {
        for signature in trial.signatures { signatures[signature.id] = signature }
    }

    /// Searches for them below a folder, in every regular file.
    ///
    /// - Returns: how many of the signatures hit any file, and how many of those that ``Proof`` takes, which alone are
    ///   ever delivered.
    func hits(below folder: String) throws -> (all: Int, provable: Int) {
        let ordered = signatures.values.sorted { $0.id < $1.id }
        let isProvable = ordered.map(\.isSubstantial)
        let scanner = try SignatureScanner(ordered)
        var hit = Set<Int>()
        var (files, bytes) = (0, 0)
        let walk = FileManager.default.enumerator(atPath: folder)
        while let name = walk?.nextObject() as? String {
            guard walk?.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
                let data = try? Data(contentsOf: URL(fileURLWithPath: folder + "/" + name), options: .alwaysMapped)
            else { continue }
            files += 1
            bytes += data.count
            for match in try data.withUnsafeBytes({ try scanner.matches(in: $0) }) { hit.insert(match.signature) }
        }
        let provable = hit.filter { isProvable[$0] }.count
        Report.table(
            "The signatures of all trials of enough samples and at most half noise, in all files below \(folder)",
            ["signatures", "that a proof takes", "files", "MB", "hit a file", "hit one, and a proof takes them"],
            [
                [
                    "\(ordered.count)", "\(isProvable.count { $0 })", "\(files)", "\(bytes / 1_000_000)", "\(hit.count)", "\(provable)",
                ]
            ])
        return (hit.count, provable)
    }
}
