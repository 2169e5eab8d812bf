// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import FileAccess
import Foundation
import ProcessContext

/// Finds the targets of exclusions on this machine now: files, control groups, users. A subject that doesn't exist, or isn't
/// as the exclusion says, excludes nothing.
///
/// It is called again and again, so it caches what it found of unchanged files and of the ways to them, and reads a package's
/// lists only when packages changed.
public struct ExclusionResolver {
    /// How many files, groups and users may be excluded: the kernel program's room for them.
    public static let maxTargets = 4096

    private(set) var files = ExclusionFiles()
    private var packages: [String: [String]] = [:]
    private var packagesState: FileIdentity?

    public init() {}

    /// The targets that exclusions apply to now, and what is wrong with those that apply to nothing, or soon will.
    public mutating func resolve(
        _ exclusions: [Exclusion], on day: CalendarDay
    ) -> (table: ExclusionTable, problems: [ExclusionProblem]) {
        forgetChangedPackages()
        files.lookAgain()
        let groups = exclusions.contains { $0.subject.isControlGroup } ? ControlGroups() : nil
        var table = ExclusionTable()
        var problems: [ExclusionProblem] = []
        for exclusion in exclusions {
            do throws(ExclusionProblem) {
                guard exclusion.holds(on: day) else { throw .ended(exclusion) }
                let targets = try targets(of: exclusion, groups)
                if targets.isEmpty { throw .absent(exclusion) }
                guard table.exclusions.count + targets.count <= Self.maxTargets else { throw .tooMany(exclusion) }
                for target in targets { table.add(exclusion, for: target) }
                if let days = exclusion.daysLeft(on: day) { throw .endsSoon(exclusion, days: days) }
            } catch {
                problems.append(error)
            }
        }
        return (table, problems)
    }

    private mutating func targets(of exclusion: Exclusion, _ groups: ControlGroups?) throws(ExclusionProblem) -> [ExclusionTarget] {
        switch exclusion.subject {
        case .executable(let path, let hash): return try executableTargets(path, sha256: hash, exclusion)
        case .library(let path, let executable): return try libraryTargets(path, executable, exclusion)
        case .package(let name): return packageTargets(name)
        case .unit(let name): return try groupTargets(groups, exclusion) { $0 == name }
        case .container(let id): return try groupTargets(groups, exclusion) { ContainerID.id($0)?.hasPrefix(id) ?? false }
        case .user(let name): return userTargets(name)
        }
    }

    private mutating func executableTargets(
        _ path: String, sha256: String?, _ exclusion: Exclusion
    ) throws(ExclusionProblem) -> [ExclusionTarget] {
        guard let file = files.state(of: path) else { return [] }
        if let sha256 {
            guard let found = files.hash(of: path, expected: file) else { throw .unreadable(exclusion) }
            guard found == sha256 else { throw .otherHash(exclusion, found: found) }
        } else if !files.onlyRootMayReplace(path) {
            throw .replaceable(exclusion)
        }
        return [.file(file)]
    }

    private mutating func libraryTargets(
        _ path: String, _ executable: String, _ exclusion: Exclusion
    ) throws(ExclusionProblem) -> [ExclusionTarget] {
        guard let library = files.state(of: path), let program = files.state(of: executable) else { return [] }
        guard files.onlyRootMayReplace(path), files.onlyRootMayReplace(executable) else { throw .replaceable(exclusion) }
        return [.library(library, program: program)]
    }

    /// The package's programs that only root may replace.
    private mutating func packageTargets(_ name: String) -> [ExclusionTarget] {
        var targets: [ExclusionTarget] = []
        for path in programs(of: name) where files.onlyRootMayReplace(path) {
            if let file = files.state(of: path) { targets.append(.file(file)) }
        }
        return targets
    }

    private func groupTargets(
        _ groups: ControlGroups?, _ exclusion: Exclusion, where matches: (Substring) -> Bool
    ) throws(ExclusionProblem) -> [ExclusionTarget] {
        guard let groups else { throw .noGroups(exclusion) }
        return groups.groups(where: matches).map { .group($0) }
    }

    private func userTargets(_ name: String) -> [ExclusionTarget] {
        if let id = UInt32(name) { return [.user(id)] }
        return getpwnam(name).map { [.user($0.pointee.pw_uid)] } ?? []
    }

    /// The files of a package that are programs.
    private mutating func programs(of package: String) -> [String] {
        if let known = packages[package] { return known }
        let programs = (PackageFiles.files(of: package) ?? []).filter(ExclusionFiles.isProgram)
        packages[package] = programs
        return programs
    }

    private mutating func forgetChangedPackages() {
        guard let state = FileIdentity(path: PackageFiles.status), state != packagesState else { return }
        packages = [:]
        packagesState = state
    }
}

extension Exclusion.Subject {
    /// Whether it is looked up among the control groups.
    fileprivate var isControlGroup: Bool {
        switch self {
        case .unit, .container: true
        case .executable, .library, .package, .user: false
        }
    }
}
