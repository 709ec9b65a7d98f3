-- Writes the results of some crops of one camera, all or none: history, verdicts, visits, wake-up.
-- The same crops leave the same verdicts, in whatever order, however often, however they are split
-- into calls.
-- KEYS: 1 the camera's verdict, 2 its history, 3 its live tracks, 4 its visits, 5 and more: verdicts
-- of its tracks
-- ARGV: 1 a MessagePack map:
--   settings    a map:
--     model           its name
--     ttl_ms          how long a verdict stands after its crop was captured
--     max_skew_ms     how far ahead of this clock a crop may be stamped
--     history_length  about how many entries are kept; 0: none is written
--     history_ttl_ms  how long the history is kept after its last entry
--     evidence        a map: limit, prior, half_life_ms, crops; see maskgate/protocol/evidence.py
--     max_tracks      how many live tracks of a camera are remembered
--   track_keys  track id -> position of its verdict in KEYS
--   crops       array of maps: crop_id track_id outcome p_mask captured_at_ms reason;
--               a value that is not known is absent
local batch = cmsgpack.unpack(ARGV[1])
local settings, track_keys = batch.settings, batch.track_keys
local camera_key, history_key, tracks_key, visits_key = unpack(KEYS, 1, 4)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)
-- Outcomes that a door may read, by caution.
local caution = {mask = 3, uncertain = 2, no_mask = 1}
-- Crops of a source that does not track count together, as one track with this name.
local UNTRACKED = ''

local function p_mask_of(crop)
    return crop.p_mask and string.format('%.4f', crop.p_mask) or ''
end

-- Whether one crop comes after another: by time, caution and crop id.
local function is_after(crop, other)
    if crop.captured_at_ms ~= other.captured_at_ms then
        return crop.captured_at_ms > other.captured_at_ms
    elseif crop.p_mask ~= other.p_mask then
        return crop.p_mask > other.p_mask
    end
    return crop.crop_id > other.crop_id
end

-- The log-odds of a mask that one crop says; see maskgate/protocol/evidence.py.
local function log_odds_of(crop)
    local limit = settings.evidence.limit
    return math.max(-limit, math.min(limit, math.log(crop.p_mask / (1 - crop.p_mask))))
end

-- A track has its newest crop, the capture time of its first, and its latest crops, oldest first, as a
-- flat array of three numbers each: capture time, log-odds, caution. Flat because Redis unpacks it for every batch; oldest first
-- because crops come in about this order.
local WIDTH = 3
-- Whether a track came, went or began earlier than known.
local visits_changed = false

-- Adds a crop to a track's latest, one for each capture time: of two faces in one picture the more
-- cautious counts. Returns whether the track changed.
local function add_latest(track, crop)
    local newest = track.newest
    if newest and newest.crop_id == crop.crop_id and newest.captured_at_ms == crop.captured_at_ms then
        return false  -- delivered again, perhaps to a worker with another model: the first one decided
    end
    local latest, place = track.latest, #track.latest + 1
    while place > 1 and latest[place - WIDTH] > crop.captured_at_ms do
        place = place - WIDTH
    end
    local is_newest = not newest or is_after(crop, newest)
    local log_odds, same = log_odds_of(crop), place - WIDTH
    if place > 1 and latest[same] == crop.captured_at_ms then
        if log_odds > latest[same + 1] then
            latest[same + 1], latest[same + 2] = log_odds, caution[crop.outcome]
        elseif not is_newest then
            return false
        end
    elseif place == 1 and #latest >= WIDTH * settings.evidence.crops then
        return false
    else
        for i = #latest, place, -1 do
            latest[i + WIDTH] = latest[i]
        end
        latest[place], latest[place + 1] = crop.captured_at_ms, log_odds
        latest[place + 2] = caution[crop.outcome]
    end
    track.newest = is_newest and crop or track.newest
    return true
end

local function add(track, crop)
    local is_first = not track.since_ms or crop.captured_at_ms < track.since_ms
    if is_first then
        track.since_ms, visits_changed = crop.captured_at_ms, true
    end
    local changed = add_latest(track, crop) or is_first
    track.changed = track.changed or changed
    return changed
end

-- Forgets the crops that are not among the latest.
local function trim(track)
    local excess = #track.latest - WIDTH * settings.evidence.crops
    if excess > 0 then
        track.latest = {unpack(track.latest, excess + 1)}
    end
end

-- The mean log-odds of a mask over a track's latest crops; see maskgate/protocol/evidence.py.
local function evidence_of(track)
    local latest, half_life_ms = track.latest, settings.evidence.half_life_ms
    local newest_at_ms = latest[#latest - WIDTH + 1]
    local sum, weights = 0, settings.evidence.prior
    for i = #latest - WIDTH + 1, 1, -WIDTH do
        local weight = 0.5 ^ ((newest_at_ms - latest[i]) / half_life_ms)
        sum, weights = sum + weight * latest[i + 1], weights + weight
    end
    return sum / weights
end

local function agreeing(track)
    local count = 0
    for i = 3, #track.latest, WIDTH do
        count = count + (track.latest[i] == caution[track.newest.outcome] and 1 or 0)
    end
    return count
end

-- Called once per key, after the last crop: no client sees what lies between.
local function write(key, track, evidence)
    local crop = track.newest
    call_or_replace(key, 'HSET', 'crop_id', crop.crop_id, 'track_id', crop.track_id,
        'outcome', crop.outcome, 'p_mask', p_mask_of(crop),
        'captured_at', crop.captured_at_ms, 'decided_at', now,
        'model', crop.model or settings.model,
        'crops', #track.latest / WIDTH, 'agreeing', agreeing(track),
        'evidence', string.format('%.3f', evidence), 'ttl_ms', settings.ttl_ms)
    redis.call('PEXPIREAT', key, crop.captured_at_ms + settings.ttl_ms)
end

local function is_live(track)
    return track.newest.captured_at_ms > now_ms - settings.ttl_ms
end

-- Name -> track, of those that a door may still read. What can't be read is no track.
local function read_tracks()
    local found, tracks = call_or_replace(tracks_key, 'HGETALL'), {}
    for i = 1, #found, 2 do
        local track = cmsgpack.unpack(found[i + 1])
        if is_live(track) then
            track.since_ms = track.since_ms or track.latest[1]  -- of an older release
            tracks[found[i]] = track
        else
            redis.call('HDEL', tracks_key, found[i])
            visits_changed = true
        end
    end
    return tracks
end

local function add_history(crop)
    if settings.history_length == 0 then
        return
    end
    call_or_replace(history_key, 'XADD', 'MAXLEN', '~', settings.history_length, '*',
        'crop_id', crop.crop_id or '', 'track_id', crop.track_id or '', 'outcome', crop.outcome,
        'p_mask', p_mask_of(crop), 'captured_at', crop.captured_at_ms or '', 'decided_at', now,
        'model', settings.model, 'reason', crop.reason or '')
end

-- A verdict stands only for a crop captured between these two, exclusive and inclusive.
local oldest_ms, newest_ms = now_ms - settings.ttl_ms, now_ms + settings.max_skew_ms
local tracks, written, newest_crop_id = nil, {}, nil
for _, crop in ipairs(batch.crops) do
    add_history(crop)
    local captured_at_ms = crop.captured_at_ms
    if caution[crop.outcome] and captured_at_ms > oldest_ms and captured_at_ms <= newest_ms then
        tracks = tracks or read_tracks()
        local name = crop.track_id == crop.crop_id and UNTRACKED or crop.track_id
        local track = tracks[name] or {latest = {}}
        tracks[name] = track
        if add(track, crop) then
            newest_crop_id = crop.crop_id
            if name == UNTRACKED then
                track = {latest = {}}  -- its key is read by who knows the crop's id
                add(track, crop)
            end
            written[KEYS[track_keys[crop.track_id]]] = track
        end
    end
end

-- The camera speaks for everybody in front of it: its outcome is the most cautious of its tracks',
-- and its evidence for a mask the largest.
local function most_cautious()
    local chosen, largest = nil, nil
    for _, track in pairs(tracks) do
        local crop = track.newest
        largest = math.max(largest or track.evidence, track.evidence)
        local rank = chosen and caution[crop.outcome] - caution[chosen.newest.outcome] or 1
        if rank > 0 or rank == 0 and (track.evidence > chosen.evidence
            or track.evidence == chosen.evidence and is_after(crop, chosen.newest)) then
            chosen = track
        end
    end
    return chosen, largest
end

-- Forgets the tracks that say "mask" least: the others decide.
local function forget_tracks()
    local names = {}
    for name in pairs(tracks) do
        table.insert(names, name)
    end
    if #names <= settings.max_tracks then
        return
    end
    table.sort(names, function(a, b)
        local one, other = tracks[a].evidence, tracks[b].evidence
        return one > other or one == other and a < b
    end)
    for i = settings.max_tracks + 1, #names do
        redis.call('HDEL', tracks_key, names[i])
        tracks[names[i]] = nil
        visits_changed = true
    end
end

-- The index of the tracks, for doors: track id -> capture time of its first crop. Written anew only
-- when it may have changed, which costs less than a command for each batch, and mends what is wrong.
local function index_visits()
    local members, kept_ms = {}, settings.ttl_ms + settings.max_skew_ms
    for name, track in pairs(tracks) do
        if name ~= UNTRACKED then
            table.insert(members, track.since_ms)
            table.insert(members, name)
        end
    end
    local is_there = #members > 0 and redis.call('PEXPIRE', visits_key, kept_ms) == 1
    if is_there and not visits_changed then
        return
    end
    redis.call('DEL', visits_key)
    if #members > 0 then
        redis.call('ZADD', visits_key, unpack(members))
        redis.call('PEXPIRE', visits_key, kept_ms)
    end
end

local function remember(name, track)
    if track.changed then
        local crop = track.newest
        local newest = {crop_id = crop.crop_id, track_id = crop.track_id, outcome = crop.outcome,
            p_mask = crop.p_mask, captured_at_ms = crop.captured_at_ms,
            model = crop.model or settings.model}
        local kept = {newest = newest, latest = track.latest, evidence = track.evidence,
            since_ms = track.since_ms}
        redis.call('HSET', tracks_key, name, cmsgpack.pack(kept))
    end
end

if newest_crop_id then
    for _, track in pairs(tracks) do
        if track.changed then
            trim(track)
            track.evidence = evidence_of(track)
        end
    end
    forget_tracks()
    write(camera_key, most_cautious())
    for key, track in pairs(written) do
        write(key, track, track.evidence or evidence_of(track))
    end
    for name, track in pairs(tracks) do
        remember(name, track)
    end
    redis.call('PEXPIRE', tracks_key, settings.ttl_ms + settings.max_skew_ms)
    index_visits()
    redis.call('PUBLISH', history_key, newest_crop_id)
end
redis.call('PEXPIRE', history_key, settings.history_ttl_ms)
